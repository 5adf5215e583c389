// React's hooks for a page without a DOM: one component a module instance, with React's rules (state is queued and
// rendered later, effects run after the render when what they depend on has changed, clean-ups first).
// In Node the client's `import … from "react"` is this module; in Chromium it is React itself.

let mounted = null;

const changed = (before, after) =>
  !before || !after || after.length !== before.length || after.some((value, i) => !Object.is(value, before[i]));

const hook = (make) => {
  const { hooks } = mounted;
  const at = mounted.next++;
  if (at === hooks.length) hooks.push(make());
  return hooks[at];
};

export const useState = (initial) => {
  const component = mounted;
  const cell = hook(() => {
    const state = { value: typeof initial === "function" ? initial() : initial, queue: [] };
    state.set = (update) => {
      state.queue.push(update);
      component.schedule();
    };
    return state;
  });
  for (const update of cell.queue.splice(0)) cell.value = typeof update === "function" ? update(cell.value) : update;
  return [cell.value, cell.set];
};

export const useCallback = (callback, deps) => {
  const cell = hook(() => ({}));
  if (changed(cell.deps, deps)) Object.assign(cell, { callback, deps });
  return cell.callback;
};

export const useEffect = (effect, deps) => {
  const cell = hook(() => ({ effect: true }));
  if (changed(cell.deps, deps)) Object.assign(cell, { pending: effect, deps });
};

/** Mounts `component` (a function of nothing that uses hooks). `current()` is what it last returned, brought up to date. */
export const mount = (component) => {
  const self = { hooks: [], next: 0, dirty: true, gone: false };
  let result;

  const render = () => {
    while (self.dirty && !self.gone) {
      self.dirty = false;
      self.next = 0;
      mounted = self;
      result = component();
      mounted = null;
      const due = self.hooks.filter((cell) => cell.pending);
      for (const cell of due) cell.cleanUp?.();
      for (const cell of due) {
        const effect = cell.pending;
        cell.pending = null;
        cell.cleanUp = effect();
      }
    }
  };
  self.schedule = () => {
    if (self.dirty || self.gone) return;
    self.dirty = true;
    queueMicrotask(render);
  };

  render();
  return {
    current() {
      render();
      return result;
    },
    unmount() {
      self.gone = true;
      for (const cell of self.hooks) cell.cleanUp?.();
    },
  };
};
