import { expect, test } from "bun:test";
import { createRetainedIndex } from "#controller/broker/retained/retained-index.ts";

const packet = (topic: string, payload = "x") => ({ topic, payload });

function indexOf(...topics: string[]) {
  const index = createRetainedIndex<{ topic: string; payload: string }>();
  for (const topic of topics) index.store(packet(topic));
  return index;
}
const topicsOf = (index: ReturnType<typeof indexOf>, ...filters: string[]) =>
  [...index.matching(filters)].map(({ topic }) => topic);

test.each([
  ["one topic", ["f/agents/a/presence"], ["f/agents/a/presence"]],
  ["all of a channel", ["f/agents/+/presence"], ["f/agents/a/presence", "f/agents/b/presence"]],
  ["all below", ["f/#"], ["f/agents/a/presence", "f/agents/b/presence", "f/agents/a/desired", "f/state"]],
  ["a wildcard as the last level", ["f/+"], ["f/state"]],
  [
    "everything but the broker's own",
    ["#"],
    ["f/agents/a/presence", "f/agents/b/presence", "f/agents/a/desired", "f/state"],
  ],
  ["the broker's own by name", ["$SYS/#"], ["$SYS/version"]],
  ["a wildcard at the beginning", ["+/version", "+/state"], ["f/state"]],
  [
    "several filters, each for itself",
    ["f/state", "f/#"],
    ["f/state", "f/agents/a/presence", "f/agents/b/presence", "f/agents/a/desired", "f/state"],
  ],
  ["nothing", ["f/agents/c/presence", "g/#", "f/agents/+/reported", "f"], []],
] as const)("finds %s", (_name, filters, expected) => {
  const index = indexOf("f/agents/a/presence", "f/agents/b/presence", "f/agents/a/desired", "f/state", "$SYS/version");
  expect(topicsOf(index, ...filters)).toEqual([...expected]);
});

test("a later message replaces the one before, an empty one removes it", () => {
  const index = indexOf("f/a/presence");
  index.store(packet("f/a/presence", "later"));
  expect([...index.matching(["f/a/presence", "f/+/presence"])].map(({ payload }) => payload)).toEqual([
    "later",
    "later",
  ]);
  index.store(packet("f/a/presence", ""));
  index.store(packet("f/b/presence", ""));
  expect(topicsOf(index, "f/a/presence", "f/+/presence", "#")).toEqual([]);
});
