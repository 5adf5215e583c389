// Waiting for a condition instead of sleeping: polls until `check` stops throwing, bounded by a deadline.
// The failure is the last reason `check` gave, so that a test which times out says what was still wrong.

import { setTimeout as pause } from "node:timers/promises";

/**
 * Runs `check` until it returns without throwing (and returns what it returned). `false`, `null` and
 * `undefined` count as "not yet"; a check that has nothing to return should return `true`.
 */
export async function eventually(what, check, { within = 10_000, every = 25 } = {}) {
  const deadline = Date.now() + within;
  let reason;
  for (;;) {
    try {
      const result = await check();
      if (result !== false && result !== null && result !== undefined) return result;
      reason = new Error(`it is ${result}`);
    } catch (error) {
      reason = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`not within ${within} ms: ${what}\n${reason.message}`, { cause: reason });
    }
    await pause(every);
  }
}

/** Rejects with a sentence when `promise` takes longer than `within`. */
export async function inTime(what, promise, within = 10_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${within} ms: ${what}`)), within);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
