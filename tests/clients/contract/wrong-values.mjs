// Values that no route and no event may take, by field.

import { objectId } from "../lib/tokens.mjs";

export const NO_TEXT = [undefined, null, 7, true, [], {}, ["a"], { $ne: null }];
export const NO_OBJECT = [undefined, null, 7, "text", true, [], [[]]];
export const NO_ID = [
  null,
  7,
  true,
  "",
  "short",
  "g".repeat(24),
  "a".repeat(25),
  [],
  {},
  { $gt: "" },
  "\u0000".repeat(24),
  "x".repeat(50_000),
];
export const NO_VERSION = ["1", -1, 1.5, true, [], {}, 1e300];
export const NO_CLIENT_ID = [7, true, [], {}, "", "x".repeat(65)];

/** What a client may say of a task, and what none of these fields takes. */
export const TASK_FIELDS = {
  title: [...NO_TEXT.slice(1), "", "   ", "x".repeat(201)],
  description: [7, true, [], {}, "x".repeat(20_001)],
  status: [7, true, [], {}, "doing"],
  priority: [7, true, [], {}, "urgent"],
  assignee: [7, true, [], "nobody", objectId()],
  dueDate: [true, [], {}, "soon", "2031-13-45", 1e300],
  subtasks: [
    7,
    "text",
    {},
    [7],
    [null],
    [{}],
    [{ title: "" }],
    [{ title: 7 }],
    [{ title: "x".repeat(201) }],
    [{ title: "x", completed: "perhaps" }],
    Array(201).fill({ title: "x" }),
  ],
  labels: [
    7,
    "text",
    {},
    [7],
    [null],
    [{}],
    [{ name: "x" }],
    [{ name: "x", color: 7 }],
    [{ name: "x", color: "x".repeat(65) }],
    [{ name: "x".repeat(51), color: "red" }],
    [{ name: "", color: "red" }],
    Array(51).fill({ name: "x", color: "red" }),
  ],
};

/** Enough of a value to know it by. */
export const brief = (value) => JSON.stringify(value)?.slice(0, 60) ?? "nothing";
