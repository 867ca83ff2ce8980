import { describe, expect, test } from "bun:test";
import { decideAdmission } from "#agent/serving/decide-admission.ts";

const limits = { queueRequests: 10, queueTexts: 100, queueTokens: 1_000, queueMs: 2_000 };
const empty = {
  admittedRequests: 0,
  admittedTexts: 0,
  waitingTokens: 0,
  expectedWaitMs: null,
  computeMs: null,
  drainMs: null,
};
const busy = { ...empty, waitingTokens: 500, expectedWaitMs: 60, computeMs: 20, drainMs: 4_200 };

describe("decideAdmission", () => {
  test.each([
    { name: "one text into an empty line", texts: 1, budget: null, line: empty, kind: "admit" },
    { name: "exactly what the line holds", texts: 100, budget: null, line: empty, kind: "admit" },
    { name: "more than the line holds", texts: 101, budget: null, line: empty, kind: "too-large" },
    {
      name: "the last place for a request",
      texts: 1,
      budget: null,
      line: { ...empty, admittedRequests: 9 },
      kind: "admit",
    },
    { name: "too many requests", texts: 1, budget: null, line: { ...empty, admittedRequests: 10 }, kind: "wait" },
    { name: "the last place for a text", texts: 1, budget: null, line: { ...empty, admittedTexts: 99 }, kind: "admit" },
    { name: "too many texts", texts: 2, budget: null, line: { ...empty, admittedTexts: 99 }, kind: "wait" },
    { name: "room for tokens", texts: 1, budget: null, line: { ...empty, waitingTokens: 999 }, kind: "admit" },
    { name: "too many tokens", texts: 1, budget: null, line: { ...empty, waitingTokens: 1_000 }, kind: "wait" },
    { name: "a budget that is enough", texts: 1, budget: 80, line: busy, kind: "admit" },
    { name: "a budget that is too short", texts: 1, budget: 79, line: busy, kind: "wait" },
    {
      name: "a short budget, but nobody waits",
      texts: 1,
      budget: 1,
      line: { ...busy, waitingTokens: 0 },
      kind: "admit",
    },
    {
      name: "a short budget, but nothing is known",
      texts: 1,
      budget: 1,
      line: { ...busy, expectedWaitMs: null, computeMs: null },
      kind: "admit",
    },
    {
      name: "as long as may be waited",
      texts: 1,
      budget: null,
      line: { ...busy, expectedWaitMs: 2_000 },
      kind: "admit",
    },
    {
      name: "long to compute, with little to wait for",
      texts: 1,
      budget: null,
      line: { ...busy, computeMs: 60_000 },
      kind: "admit",
    },
    {
      name: "longer than may be waited",
      texts: 1,
      budget: 9_000,
      line: { ...busy, expectedWaitMs: 2_001 },
      kind: "wait",
    },
  ] as const)("$name: $kind", ({ texts, budget, line, kind }) => {
    expect(decideAdmission({ texts, latencyBudgetMs: budget }, line, limits).kind).toBe(kind);
  });

  test.each([
    { name: "the line's own time, in whole seconds", drainMs: 4_200, retryAfterS: 5 },
    { name: "at least one", drainMs: 3, retryAfterS: 1 },
    { name: "one where nothing is known", drainMs: null, retryAfterS: 1 },
    { name: "at most thirty", drainMs: 3_600_000, retryAfterS: 30 },
  ])("the time to come back is $name", ({ drainMs, retryAfterS }) => {
    const line = { ...empty, admittedRequests: 10, drainMs };
    expect(decideAdmission({ texts: 1, latencyBudgetMs: null }, line, limits)).toEqual({
      kind: "wait",
      reason: "10 requests wait already; 10 may",
      retryAfterS,
    });
  });

  test.each([
    { budget: 100, waitMs: 1_800, reason: "it would take about 3500 ms; the client waits 100 ms", retryAfterS: 4 },
    { budget: null, waitMs: 3_500, reason: "it would wait about 3500 ms; 2000 ms may be waited", retryAfterS: 2 },
  ])("a request that would take too long comes back when the line is that much shorter: $reason", (row) => {
    const line = { ...busy, expectedWaitMs: row.waitMs, computeMs: 1_700 };
    expect(decideAdmission({ texts: 1, latencyBudgetMs: row.budget }, line, limits)).toEqual({
      kind: "wait",
      reason: row.reason,
      retryAfterS: row.retryAfterS,
    });
  });
});
