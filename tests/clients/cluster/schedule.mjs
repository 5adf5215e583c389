// What can go wrong in a cluster, as a random schedule has it: each fault lasts for a while and is mended.

import { setTimeout as pause } from "node:timers/promises";

export const FAULTS = {
  "a node is killed": async ({ cluster, random, leave }) => {
    const node = random.pick(cluster.nodes);
    await node.kill9();
    leave(node);
    await pause(random.int(0, 1_500));
    await node.restart();
  },
  "a node ends in order and starts again": async ({ cluster, random, leave }) => {
    const node = random.pick(cluster.nodes);
    leave(node);
    await node.restart();
  },
  "Redis is frozen": async ({ cluster, random }) => {
    cluster.redis.signal("SIGSTOP");
    await pause(random.int(200, 3_500));
    cluster.redis.signal("SIGCONT");
  },
  "Redis starts again, empty": async ({ cluster }) => cluster.redis.restart(),
  "Redis is gone": async ({ cluster, random }) => {
    await cluster.redis.kill9();
    await pause(random.int(200, 3_000));
    await cluster.redis.restart();
  },
  "a node's way to Redis is cut": async ({ cluster, random }) => random.pick(cluster.nodes).gate.cut(),
  "a node does not reach Redis": async ({ cluster, random }) => {
    const { gate } = random.pick(cluster.nodes);
    gate.refuse();
    await pause(random.int(200, 3_000));
    gate.open();
  },
  "what a node says to Redis is lost": async ({ cluster, random }) => {
    const { gate } = random.pick(cluster.nodes);
    gate.swallow();
    await pause(random.int(100, 1_500));
    gate.open();
  },
  "a node's way to Redis is slow": async ({ cluster, random }) => {
    const { gate } = random.pick(cluster.nodes);
    gate.delay({ up: random.int(0, 150), down: random.int(0, 150) });
    await pause(random.int(500, 2_000));
    gate.delay({});
  },
  "some clients are cut off": async ({ visitors, cluster, random }) => {
    for (const visitor of visitors.filter(() => random.chance(0.5))) {
      if (random.chance(0.5)) visitor.moveTo(random.pick(cluster.nodes));
      // What is on its way is lost to who cannot say how far it has heard.
      visitor.proxy.cut({ way: visitor.recovers ? random.pick(["hard", "orderly"]) : "orderly" });
    }
  },
};

/** The names of `count` faults, as chance has them. */
export const draw = (random, count) => Array.from({ length: count }, () => random.pick(Object.keys(FAULTS)));
