// How much memory a process has resident, and how long the slowest hundredth of something took.

import { readFileSync } from "node:fs";

/** Bytes resident. */
export const resident = ({ pid }) => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
};

export const p99 = (times) => [...times].sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1];
