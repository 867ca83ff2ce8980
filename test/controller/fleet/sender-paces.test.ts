import { expect, test } from "bun:test";
import { SenderPaces } from "#controller/fleet/sender-paces.ts";

test("each agent has a rate of its own, in messages and in bytes, and a refused message takes nothing of it", () => {
  let nowMs = 0;
  const paces = new SenderPaces({ messagesPerS: 10, bytesPerS: 1_000, burstS: 2 }, () => nowMs);
  const taken = (agentId: string, bytes: number, tries: number) =>
    Array.from({ length: tries }, () => paces.take(agentId, bytes)).filter(Boolean).length;
  expect(taken("many", 1, 100)).toBe(20);
  expect(taken("large", 500, 100)).toBe(4);
  nowMs += 1_000;
  expect(taken("many", 1, 100)).toBe(10);
  expect(taken("large", 500, 100)).toBe(2);
  expect(taken("other", 1, 5)).toBe(5);
});

test("of more agents than a fleet has, the one that was heard least recently is forgotten", () => {
  const paces = new SenderPaces({ messagesPerS: 1, bytesPerS: 1_000, burstS: 1 }, () => 0);
  const isForgotten = (agentId: string) => paces.take(agentId, 1);
  for (let each = 0; each < 20_000; each += 1) paces.take(`agent-${each}`, 1);
  // Heard again, though refused: it stays.
  expect(paces.take("agent-0", 1)).toBe(false);
  paces.take("one-more", 1);
  expect(isForgotten("agent-0")).toBe(false);
  expect(isForgotten("agent-1")).toBe(true);
});
