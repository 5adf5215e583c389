// Judges a stage as a whole: collects findings, waits until there are none, counts them for the table.

import assert from "node:assert/strict";
import { eventually } from "../lib/eventually.mjs";
import { chatFindings, listFindings, onlineFindings, orderFindings } from "./at-rest.mjs";
import { toldFindings } from "./told.mjs";

/** Everything that must be true at rest, read now. `messagesOf` gives the stored messages, oldest first. */
export async function findingsAtRest(stage, messagesOf = messagesByRest) {
  const { tabs, rest, projectId, users } = stage;
  const stored = await rest.get(`/api/tasks/project/${projectId}`);
  const messages = await messagesOf(stage);
  return [
    ...listFindings(tabs, stored),
    ...orderFindings(tabs, stored),
    ...onlineFindings(tabs, users),
    ...chatFindings(tabs, messages),
  ];
}

/** What was told twice, backwards or out of turn, ever. */
export function findingsOfTelling({ tabs }) {
  return tabs.flatMap((tab) => toldFindings(tab, tabs.filter((other) => other !== tab && other.user === tab.user)));
}

/** The whole history of the project's channel, oldest first. */
export async function messagesByRest({ rest, projectId }) {
  const messages = [];
  let before = null;
  do {
    const page = await rest.get(`/api/channels/${projectId}/messages?limit=200${before ? `&before=${before}` : ""}`);
    messages.unshift(...page.messages);
    before = page.nextBefore;
  } while (before);
  return messages;
}

/** The messages that anybody was shown: all that can be known of a backend without a route for them. */
export function messagesByTabs({ tabs }) {
  const known = new Map(tabs.flatMap((tab) => tab.page.messages).map((message) => [message._id, message]));
  return [...known.values()].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** Waits until nothing is found. A failure lists the first findings in full and counts the rest. */
export async function eventuallyNothingIsFound(stage, { within, seed }) {
  await eventually(
    "every tab is at rest equal to REST",
    async () => {
      assertNothingFound(await findingsAtRest(stage), seed);
      return true;
    },
    { within, every: 250 },
  );
}

export function assertNothingFound(findings, seed) {
  if (findings.length === 0) return;
  const first = findings.slice(0, 4).map(({ kind, tab, text }) => `[${kind}] ${tab}: ${text}`);
  assert.fail(`SEED=${seed}: ${summary(findings)}\n\n${first.join("\n\n")}\n`);
}

export const summary = (findings) =>
  Object.entries(countKinds(findings))
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");

export function countKinds(findings) {
  const counts = {};
  for (const { kind } of findings) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** One task by each tab in turn; returns the tabs that were shown none of the others'. */
export async function tabsWithoutRoom({ tabs }, within = 5_000) {
  const markers = [];
  for (const tab of tabs) {
    const task = await tab.page.createTask({ title: `marker of ${tab.name}` });
    markers.push({ tab, task });
  }
  const sees = (tab) =>
    markers.every(({ tab: author, task }) => author === tab || tab.page.tasks.some(({ _id }) => _id === task._id));
  try {
    return await eventually("every tab is told the markers", () => tabs.every(sees) && [], { within });
  } catch {
    return tabs.filter((tab) => !sees(tab));
  }
}
