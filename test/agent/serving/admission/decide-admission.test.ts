import { describe, expect, test } from "bun:test";
import {
  type AdmissionDecision,
  AdmissionInput,
  decideAdmission,
  type Held,
  type QueueState,
} from "#agent/serving/admission/decide-admission.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { wrongFields } from "../../../fakes/wrong-fields.ts";

const limits = {
  queueRequests: 10,
  queueTexts: 100,
  queueTokens: 1_000,
  queueBytes: 50_000,
  queueMs: 2_000,
  requestTimeoutMs: 10_000,
};
const none: Held = { requests: 0, texts: 0, tokens: 0, bytes: 0 };
const empty: QueueState = {
  held: none,
  own: none,
  share: 1,
  openRequests: 0,
  expectedWaitMs: null,
  computeMs: null,
  drainMs: null,
};
const held = (what: Partial<Held>, own: Partial<Held> = what): QueueState => ({
  ...empty,
  held: { ...none, ...what },
  own: { ...none, ...own },
});
const busy: QueueState = { ...empty, openRequests: 3, expectedWaitMs: 60, computeMs: 20, drainMs: 4_200 };

describe("decideAdmission", () => {
  test.each([
    { name: "one text into an empty queue", texts: 1, queue: empty, kind: "admit" },
    { name: "exactly what the queue holds", texts: 100, queue: empty, kind: "admit" },
    { name: "more texts than the queue holds", texts: 101, queue: empty, kind: "too-large" },
    { name: "exactly the bytes of the queue", bytes: 50_000, queue: empty, kind: "admit" },
    { name: "more bytes than the queue holds", bytes: 50_001, queue: empty, kind: "too-large" },
    { name: "the last place for a request", queue: held({ requests: 9 }), kind: "admit" },
    { name: "too many requests", queue: held({ requests: 10 }), kind: "wait" },
    { name: "the last place for a text", queue: held({ texts: 99 }), kind: "admit" },
    { name: "too many texts", texts: 2, queue: held({ texts: 99 }), kind: "wait" },
    { name: "room for tokens", queue: held({ tokens: 999 }), kind: "admit" },
    { name: "too many tokens", queue: held({ tokens: 1_000 }), kind: "wait" },
    { name: "the last bytes", bytes: 1_000, queue: held({ bytes: 49_000 }), kind: "admit" },
    { name: "too many bytes", bytes: 1_001, queue: held({ bytes: 49_000 }), kind: "wait" },
    { name: "a budget that is enough", budget: 100, queue: busy, kind: "admit" },
    { name: "a budget that would be enough if the expectation were exact", budget: 80, queue: busy, kind: "wait" },
    {
      name: "a short budget, but no other request waits",
      budget: 1,
      queue: { ...busy, openRequests: 0 },
      kind: "admit",
    },
    {
      name: "a short budget, but the speed is unknown",
      budget: 1,
      queue: { ...busy, expectedWaitMs: null, computeMs: null },
      kind: "admit",
    },
    { name: "as long as may be waited", queue: { ...busy, expectedWaitMs: 2_000 }, kind: "admit" },
    { name: "longer than may be waited", budget: 9_000, queue: { ...busy, expectedWaitMs: 2_001 }, kind: "wait" },
    { name: "done in time", queue: { ...busy, computeMs: 8_940 }, kind: "admit" },
    { name: "not done within the time that a request may take", queue: { ...busy, computeMs: 8_941 }, kind: "wait" },
    {
      name: "not done within that time, whatever the client says",
      budget: 60_000,
      queue: { ...busy, computeMs: 8_941 },
      kind: "wait",
    },
  ] as const)("$name: $kind", (row) => {
    const { texts, bytes, budget, queue, kind } = { texts: 1, bytes: 10, budget: null, ...row };
    expect(decideAdmission({ texts, bytes, latencyBudgetMs: budget }, queue, limits).kind).toBe(kind);
  });

  describe("a full queue, half of which is the tenant's share", () => {
    const full = { requests: 10, texts: 100, tokens: 1_000, bytes: 50_000 };
    const request = { texts: 4, bytes: 200, latencyBudgetMs: null };
    test.each([
      { name: "with nothing of its own", own: none, kind: "make-room" },
      { name: "just within it", own: { requests: 4, texts: 46, tokens: 499, bytes: 24_800 }, kind: "make-room" },
      { name: "with half of the requests", own: { ...none, requests: 5 }, kind: "wait" },
      { name: "with too many texts", own: { ...none, texts: 47 }, kind: "wait" },
      { name: "with half of the tokens", own: { ...none, tokens: 500 }, kind: "wait" },
      { name: "with too many bytes", own: { ...none, bytes: 24_801 }, kind: "wait" },
    ] as const)("$name: $kind", ({ own, kind }) => {
      expect(decideAdmission(request, { ...empty, held: full, own, share: 0.5 }, limits).kind).toBe(kind);
    });

    test("says what is missing", () => {
      const decision = decideAdmission(request, { ...empty, held: full, share: 0.5 }, limits);
      expect(decision).toMatchObject({ missing: { requests: 1, texts: 4, bytes: 200 } });
      const onlyTexts = decideAdmission(request, { ...empty, held: { ...none, texts: 97 }, share: 0.5 }, limits);
      expect(onlyTexts).toMatchObject({ kind: "make-room", missing: { requests: 0, texts: 1, bytes: 0 } });
      const onlyTokens = decideAdmission(request, { ...empty, held: { ...none, tokens: 1_000 }, share: 0.5 }, limits);
      expect(onlyTokens).toMatchObject({ kind: "make-room", missing: { requests: 1, texts: 0, bytes: 0 } });
      const manyTokens = decideAdmission(request, { ...empty, held: { ...none, tokens: 1_005 }, share: 0.5 }, limits);
      expect(manyTokens).toMatchObject({ kind: "make-room", missing: { requests: 1, texts: 0, bytes: 0 } });
    });

    test("no request is evicted for one that would be late", () => {
      const late = { ...busy, held: full, share: 0.5, expectedWaitMs: 3_000 };
      expect(decideAdmission(request, late, limits).kind).toBe("wait");
    });
  });

  test.each([
    { name: "the queue's own time, in whole seconds", drainMs: 4_200, retryAfterS: 5 },
    { name: "at least one", drainMs: 3, retryAfterS: 1 },
    { name: "one where nothing is known", drainMs: null, retryAfterS: 1 },
    { name: "a second more beyond each", drainMs: 5_000.1, retryAfterS: 6 },
    { name: "to the millisecond", drainMs: 5_003, retryAfterS: 6 },
    { name: "exactly thirty", drainMs: 29_001, retryAfterS: 30 },
    { name: "exactly five", drainMs: 5_000, retryAfterS: 5 },
    { name: "at most thirty", drainMs: 3_600_000, retryAfterS: 30 },
  ])("the time to come back is $name", ({ drainMs, retryAfterS }) => {
    const queue = { ...held({ requests: 10 }), drainMs };
    expect(decideAdmission({ texts: 1, bytes: 1, latencyBudgetMs: null }, queue, limits)).toEqual({
      kind: "wait",
      rule: "queue-full",
      measure: "requests",
      waiting: 10,
      limit: 10,
      retryAfterS,
    });
  });

  test.each([
    { rule: "client-deadline", budget: 100, waitMs: 1_800, expectedMs: 3_500, limitMs: 100, retryAfterS: 4 },
    { rule: "client-deadline", budget: 10_000, waitMs: 1_800, moreMs: 7_300, expectedMs: 10_800, limitMs: 10_000 },
    { rule: "request-timeout", budget: 10_001, waitMs: 1_800, moreMs: 7_300, expectedMs: 10_800, limitMs: 10_000 },
    {
      rule: "request-timeout",
      budget: null,
      waitMs: 60,
      moreMs: 10_240,
      expectedMs: 12_000,
      limitMs: 10_000,
      retryAfterS: 3,
    },
    {
      rule: "request-timeout",
      budget: null,
      waitMs: 1_900,
      moreMs: 8_400,
      expectedMs: 12_000,
      limitMs: 10_000,
      retryAfterS: 3,
    },
    { rule: "long-wait", budget: null, waitMs: 3_500, expectedMs: 3_500, limitMs: 2_000 },
  ] as const)("a request that would take too long comes back when the queue is that much shorter: %j", (row) => {
    const { rule, budget, waitMs, moreMs, expectedMs, limitMs, retryAfterS } = { moreMs: 0, retryAfterS: 2, ...row };
    const queue = { ...busy, expectedWaitMs: waitMs, computeMs: 1_700 + moreMs };
    expect(decideAdmission({ texts: 1, bytes: 1, latencyBudgetMs: budget }, queue, limits)).toEqual({
      kind: "wait",
      rule,
      expectedMs,
      limitMs,
      retryAfterS,
    });
  });

  test.each([
    { texts: 101, bytes: 60_000, measure: "texts", asked: 101, limit: 100 },
    { texts: 100, bytes: 60_000, measure: "bytes", asked: 60_000, limit: 50_000 },
  ])("what does not fit into an empty queue is told by which measure: $measure", ({ texts, bytes, ...figures }) => {
    expect(decideAdmission({ texts, bytes, latencyBudgetMs: null }, empty, limits)).toEqual({
      kind: "too-large",
      rule: "too-large",
      ...figures,
    } as AdmissionDecision);
  });

  test("where only the wait is known, the computation counts nothing", () => {
    const ask = (latencyBudgetMs: number) =>
      decideAdmission(
        { texts: 1, bytes: 1, latencyBudgetMs },
        { ...busy, expectedWaitMs: 90, computeMs: null },
        limits,
      );
    expect(ask(100)).toEqual({ kind: "admit", rule: "fits" });
    expect(ask(99)).toMatchObject({ kind: "wait", rule: "client-deadline", expectedMs: 90, retryAfterS: 1 });
  });

  test("of several limits that are reached, the first is named: requests, texts, tokens, bytes", () => {
    const full = { requests: 10, texts: 100, tokens: 1_000, bytes: 50_000 };
    for (const measure of ["requests", "texts", "tokens", "bytes"] as const) {
      const decision = decideAdmission({ texts: 1, bytes: 1, latencyBudgetMs: null }, held(full), limits);
      expect(decision).toMatchObject({ kind: "wait", rule: "queue-full", measure, waiting: full[measure] });
      full[measure] = 0;
    }
  });
});

describe("what a file may ask", () => {
  const nothing = { requests: 0, texts: 0, tokens: 0, bytes: 0 };
  const least = {
    request: { texts: 0, bytes: 0, latencyBudgetMs: 0 },
    queue: { held: nothing, own: nothing, share: 0, openRequests: 0, expectedWaitMs: 0, computeMs: 0, drainMs: 0 },
    limits: { queueRequests: 1, queueTexts: 1, queueTokens: 1, queueBytes: 1, queueMs: 1, requestTimeoutMs: 1 },
  };

  test("nothing at all waits by default, one tenant has all, and the limits are the agent's own", () => {
    const { request, queue, limits } = parseConfig(AdmissionInput, { request: { texts: 1 } }, "x");
    expect({ request, queue }).toEqual({ request: { texts: 1, bytes: 0, latencyBudgetMs: null }, queue: empty });
    expect(limits).toEqual({
      queueRequests: 1024,
      queueTexts: 4096,
      queueTokens: 262_144,
      queueBytes: 128 * 1024 * 1024,
      queueMs: 5_000,
      requestTimeoutMs: 30_000,
    });
  });

  test.each([
    [least, []],
    [
      { ...least, queue: { ...least.queue, held: { requests: -1, texts: -1, tokens: -1, bytes: -1 } } },
      ["requests", "texts", "tokens", "bytes"].map((name) => `queue.held.${name}`),
    ],
    [{ ...least, queue: { ...least.queue, share: 1 } }, []],
    [{ ...least, queue: { ...least.queue, share: 1.01, computeMs: -0.5 } }, ["queue.share", "queue.computeMs"]],
    [
      { ...least, request: { texts: -1, bytes: -1, latencyBudgetMs: -0.5 }, queue: { ...least.queue, share: -0.01 } },
      ["request.texts", "request.bytes", "request.latencyBudgetMs", "queue.share"],
    ],
  ])("%j: %j", (input, fields) => {
    expect(wrongFields(AdmissionInput, input)).toEqual(fields);
  });
});
