import { beforeEach, describe, expect, test } from "bun:test";
import { SloConfig } from "#agent/slo-config.ts";
import { FeltDemand } from "#agent/traffic/felt-demand.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { RefusalCause } from "#protocol/messages.ts";

let nowMs: number;
let troubles: number[];
let demand: FeltDemand;

beforeEach(() => {
  [nowMs, troubles] = [1_000_000, []];
  demand = new FeltDemand({
    slo: parseConfig(SloConfig, {}, "test"),
    nowMs: () => nowMs,
    windowMs: 15_000,
    onTrouble: () => troubles.push(nowMs),
  });
});

const serve = (latencyMs = 20, model = "m") =>
  demand.recordServed({
    ...{ model, tenant: "default", texts: 3, tokens: 30, cachedTexts: 1, queueMs: 1, computeMs: 5 },
    latencyMs,
  });
const refuse = (cause: RefusalCause, model = "m") =>
  demand.recordRefused({ model, tenant: "default", texts: 2, tokens: 20, cause });

describe("what users experienced", () => {
  test("nothing, without requests", () => {
    expect(demand.felt()).toEqual({ requests: 0, refused: 0, p95Ms: null });
  });

  test("answers, refusals for want of capacity, and the p95", () => {
    for (let index = 0; index < 100; index += 1) serve(index < 90 ? 20 : 2_000);
    for (const cause of ["queue", "deadline", "standby", "rate-limit", "error"] as const) refuse(cause);
    const { p95Ms, ...counts } = demand.felt();
    expect(counts).toEqual({ requests: 100, refused: 2 });
    expect(p95Ms).toBeGreaterThan(1_000);
    expect(demand.refusals).toBe(2);
  });

  test("of the last fifteen seconds, forgotten part by part", () => {
    serve();
    nowMs += 10_000;
    refuse("queue");
    expect(demand.felt()).toMatchObject({ requests: 1, refused: 1 });
    nowMs += 5_000;
    expect(demand.felt()).toMatchObject({ requests: 0, refused: 1 });
    nowMs += 10_000;
    expect(demand.felt()).toEqual({ requests: 0, refused: 0, p95Ms: null });
  });

  test("not of the future, when the clock is set back", () => {
    refuse("queue");
    nowMs -= 3_600_000;
    expect(demand.felt()).toMatchObject({ refused: 0 });
    serve();
    expect(demand.felt()).toMatchObject({ requests: 1 });
  });
});

describe("since the last beat", () => {
  test("by model, with slow requests and refusals by cause", () => {
    serve(1_000);
    serve(1_001);
    refuse("queue");
    refuse("queue");
    refuse("standby", "other");
    const [asked, other] = demand.take();
    expect(asked).toMatchObject({
      ...{ model: "m", requests: 2, texts: 6, cachedTexts: 2, slowRequests: 1 },
      refused: [{ cause: "queue", requests: 2, texts: 4, tokens: 40 }],
    });
    expect(asked?.p95Ms).toBeGreaterThan(1_000);
    expect(other).toMatchObject({ model: "other", requests: 0, p95Ms: null });
    expect(demand.take()).toEqual([]);
  });

  test("of many models the last ones together", () => {
    for (let index = 0; index < 100; index += 1) serve(1, `m${index}`);
    const taken = demand.take();
    expect(taken).toHaveLength(64);
    expect(taken.at(-1)).toMatchObject({ model: "(other)", requests: 37 });
  });
});

describe("trouble", () => {
  test("is told when it begins, and again after a quiet half minute", () => {
    refuse("queue");
    refuse("deadline");
    nowMs += 30_000;
    refuse("error");
    expect(troubles).toEqual([1_000_000]);
    nowMs += 30_001;
    refuse("error");
    expect(troubles).toEqual([1_000_000, 1_060_001]);
  });

  test("is not a refusal by role or quota", () => {
    refuse("standby");
    refuse("rate-limit");
    expect(troubles).toEqual([]);
  });
});
