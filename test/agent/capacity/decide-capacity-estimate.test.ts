import { describe, expect, test } from "bun:test";
import {
  confidenceOf,
  decideCapacityEstimate,
  type SeenWork,
  type SpeedEstimate,
} from "#agent/capacity/decide-capacity-estimate.ts";
import { noWork, type Work } from "#agent/serving/batching/work-record.ts";

const tokensPerText = 20;
/** Work of so many texts of 20 tokens in batches of eight, in this time. */
const work = (texts: number, busyMs: number, boardMs = 0): Work => ({
  ...noWork,
  texts,
  tokens: texts * tokensPerText,
  cost: texts * tokensPerText * 1.2,
  busyMs,
  waitingMs: 0,
  boardMs,
});
const idle: SeenWork = { ...noWork, windowMs: 2_000, overloaded: false };
/** Two seconds in which texts were waiting all the time, or never. */
const saturated = (done: Work): SeenWork => ({ ...idle, ...done, waitingMs: done.busyMs, leftMs: done.busyMs });
const partial = (done: Work, overloaded = false): SeenWork => ({ ...idle, ...done, overloaded });
const estimate = (qps: number, source: SpeedEstimate["source"], evidenceMs = 0): SpeedEstimate => ({
  tokensPerS: qps * tokensPerText,
  tokensPerText,
  source,
  evidenceMs,
});
const qpsOf = (speed: SpeedEstimate | null) => (speed === null ? null : speed.tokensPerS / speed.tokensPerText);

test("a board that holds texts back one by one shows its capacity in small batches, too, and no more", () => {
  // 20 texts that take a board of 10 a second two seconds; each alone costs the model twice its tokens.
  const alone = { ...partial(work(20, 500, 2_000)), cost: 800 };
  const { rule, measuredTokensPerS, estimate: after } = decideCapacityEstimate(estimate(10, "saturated", 4_000), alone);
  expect({ rule, measuredTokensPerS }).toEqual({ rule: "served", measuredTokensPerS: 200 });
  expect(qpsOf(after)).toBe(10);
});

describe("a saturated model shows its capacity", () => {
  test.each([
    { name: "a twentieth of the profile", factor: 0.05 },
    { name: "half of it", factor: 0.5 },
    { name: "twice it", factor: 2 },
    { name: "twenty times it", factor: 20 },
  ])("at once: $name", ({ factor }) => {
    for (const source of ["profile", "probe", "served", "calibrated", "saturated"] as const) {
      const before = estimate(350, source, 600_000);
      const after = decideCapacityEstimate(before, saturated(work(350 * factor * 2, 2_000)));
      expect(after.rule).toBe("saturated");
      expect(qpsOf(after.estimate)).toBeCloseTo(350 * factor, 6);
      expect(after.estimate?.source).toBe("saturated");
    }
  });

  test("which the decision tells", () => {
    expect(decideCapacityEstimate(null, saturated(work(34, 2_000))).measuredTokensPerS).toBe(340);
  });

  test("without anything known before", () => {
    const { estimate: after } = decideCapacityEstimate(null, saturated(work(34, 2_000)));
    expect(after).toEqual({ tokensPerS: 340, tokensPerText: 20, source: "saturated", evidenceMs: 2_000 });
  });

  test("which is refined by more of the same, and surer", () => {
    const first = estimate(100, "saturated", 2_000);
    const { estimate: after } = decideCapacityEstimate(first, saturated(work(220, 2_000)));
    expect(qpsOf(after)).toBeCloseTo(105, 2);
    expect(after?.evidenceMs).toBeCloseTo(4_000, -1);
    const sure = estimate(100, "saturated", 60_000);
    expect(qpsOf(decideCapacityEstimate(sure, saturated(work(220, 2_000))).estimate)).toBeCloseTo(102.5, 6);
    expect(confidenceOf(after as SpeedEstimate)).toBeGreaterThan(confidenceOf(first));
  });

  test("in texts of the present length", () => {
    const longer: Work = { ...noWork, texts: 20, tokens: 4_000, cost: 5_000, busyMs: 2_000 };
    const { estimate: after } = decideCapacityEstimate(estimate(100, "saturated"), saturated(longer));
    expect([after?.tokensPerS, after?.tokensPerText, qpsOf(after ?? null)]).toEqual([2_000, 200, 10]);
  });

  test("if texts were waiting in three quarters of the time", () => {
    const done = { ...saturated(work(20, 2_000)), waitingMs: 1_500 };
    expect(decideCapacityEstimate(null, done).rule).toBe("saturated");
    expect(decideCapacityEstimate(null, { ...done, waitingMs: 1_499 }).rule).toBe("served");
  });

  describe("in small batches, as texts wait for those at half the load, too", () => {
    // Twenty texts of 20 tokens, each in a batch of its own, left no text behind.
    const small: SeenWork = { ...saturated(work(20, 2_000)), leftMs: 0 };

    test.each(["saturated", "calibrated"] as const)("lowers no capacity that is %s", (source) => {
      const { rule, estimate: after } = decideCapacityEstimate(estimate(100, source, 60_000), small);
      expect([rule, qpsOf(after)]).toEqual(["served", 100]);
    });

    test.each(["profile", "probe", "served"] as const)("is better than a %s", (source) => {
      expect(decideCapacityEstimate(estimate(100, source), small).rule).toBe("saturated");
    });

    test.each([
      { name: "requests were refused", more: { refused: true } },
      { name: "the board held texts back", more: { boardMs: 1_000 } },
      { name: "texts were left behind in three quarters of the time", more: { leftMs: 1_500 } },
    ])("unless $name", ({ more }) => {
      expect(decideCapacityEstimate(estimate(100, "saturated"), { ...small, ...more }).rule).toBe("saturated");
      const less = { ...small, leftMs: 1_499 };
      expect(decideCapacityEstimate(estimate(100, "saturated"), less).rule).toBe("served");
    });
  });

  test("not in a moment", () => {
    const before = estimate(100, "probe");
    expect(decideCapacityEstimate(before, saturated(work(1, 399))).rule).toBe("served");
    expect(decideCapacityEstimate(before, saturated(work(1, 400))).rule).toBe("saturated");
  });

  test("after texts that the board let through at once, too", () => {
    const { estimate: after } = decideCapacityEstimate(null, saturated(work(20, 1_000, 2_000)));
    expect(qpsOf(after)).toBe(10);
  });
});

describe("requests that are refused while few texts wait for the model", () => {
  test("lower the estimate to what was served", () => {
    const before = estimate(350, "probe");
    const { rule, estimate: after } = decideCapacityEstimate(before, partial(work(34, 300), true));
    expect([rule, qpsOf(after), after?.source]).toEqual(["overloaded", 17, "saturated"]);
  });

  test("are the first estimate where nothing is known", () => {
    const { rule, estimate: after } = decideCapacityEstimate(null, partial(work(34, 300), true));
    expect([rule, qpsOf(after), after?.evidenceMs]).toEqual(["overloaded", 17, 2_000]);
  });

  test("raise it no further than what was served does", () => {
    const { rule } = decideCapacityEstimate(estimate(10, "probe"), partial(work(34, 300), true));
    expect(rule).toBe("exceeded");
  });
});

describe("more than was thought possible", () => {
  test("raises the estimate to it", () => {
    const { rule, estimate: after } = decideCapacityEstimate(estimate(10, "profile"), partial(work(60, 500)));
    expect([rule, qpsOf(after), after?.source]).toEqual(["exceeded", 30, "served"]);
  });

  test.each(["saturated", "calibrated"] as const)("leaves a capacity that is %s one", (source) => {
    const { rule, estimate: after } = decideCapacityEstimate(estimate(10, source, 500), partial(work(60, 500)));
    expect([rule, qpsOf(after), after?.source]).toEqual(["exceeded", 30, source]);
    expect(after?.evidenceMs).toBeCloseTo(500, 0);
  });

  test("is not a batch that began before, nor texts that the board has still to work off", () => {
    const before = estimate(10, "saturated", 60_000);
    for (const done of [work(30, 3_000), work(30, 300, 3_000)])
      expect(decideCapacityEstimate(before, partial(done)).rule).toBe("served");
  });
});

describe("batches that take longer than those of the same mix did", () => {
  const batches = (qps: number): SeenWork => ({
    ...partial(work(8, 8_000 / qps)),
    ...{ batches: 1, computedCost: 8 * tokensPerText * 1.2, computeMs: 8_000 / qps },
  });
  const after = (before: SpeedEstimate | null, qps: number, seconds: number) => {
    let speed = before;
    const stretch = batches(qps);
    for (let doneMs = 0; doneMs < seconds * 1_000; doneMs += stretch.busyMs)
      speed = decideCapacityEstimate(speed, stretch).estimate;
    return speed as SpeedEstimate;
  };
  const learnt = after(estimate(100, "saturated", 60_000), 50, 20);

  test("lower a measured capacity by as much, and are surer of less", () => {
    expect(qpsOf(learnt)).toBeCloseTo(100, 6);
    const slower = after(learnt, 25, 60);
    expect(qpsOf(slower)).toBeWithin(50, 54);
    expect(confidenceOf(slower)).toBeWithin(0.6, confidenceOf(learnt) - 0.01);
    expect(qpsOf(after(slower, 50, 60))).toBeWithin(95, 100);
  });

  test("tell nothing new of a device that was full since and showed another capacity", () => {
    const full = decideCapacityEstimate(learnt, { ...batches(25), waitingMs: 4_000, leftMs: 4_000, busyMs: 4_000 });
    expect(full.estimate?.mixes ?? []).toEqual([]);
    const agreeing = decideCapacityEstimate(learnt, {
      ...batches(100),
      texts: 48,
      tokens: 960,
      busyMs: 500,
      waitingMs: 500,
      leftMs: 500,
    });
    expect(agreeing.estimate?.mixes).not.toEqual([]);
  });

  test("lower no estimate while a board holds them back by their number", () => {
    const held = { ...batches(25), boardMs: 80, busyMs: 400 };
    expect(qpsOf(decideCapacityEstimate(learnt, held).estimate)).toBeCloseTo(100, 6);
  });
});

test("a board that lets less through than was measured lowers the capacity under partial load, too", () => {
  let speed: SpeedEstimate | null = estimate(100, "saturated", 60_000);
  // Eight texts that a board of 50 a second takes 160 ms for.
  for (let window = 0; window < 1_000; window += 1)
    speed = decideCapacityEstimate(speed, partial(work(8, 120, 160))).estimate;
  expect(qpsOf(speed)).toBeWithin(50, 52);
});

describe("batches under partial load", () => {
  const twiceAsFast = partial(work(8, 200, 0)); // 40 texts per second
  test("move a hint slowly: half of the way in twenty seconds of computing", () => {
    let speed: SpeedEstimate | null = estimate(10, "profile");
    for (let window = 0; window < 100; window += 1) speed = decideCapacityEstimate(speed, twiceAsFast).estimate;
    expect(qpsOf(speed)).toBeCloseTo(20, 1);
    expect(speed?.source).toBe("served");
  });

  test.each(["saturated", "calibrated"] as const)("raise a capacity that is %s slower still", (source) => {
    let speed: SpeedEstimate | null = estimate(10, source);
    for (let window = 0; window < 100; window += 1) speed = decideCapacityEstimate(speed, twiceAsFast).estimate;
    expect(qpsOf(speed)).toBeGreaterThan(10.2);
    expect(qpsOf(speed)).toBeLessThan(10.5);
    expect(speed?.source).toBe(source);
  });

  test("never lower it: a lone text is slower than a full batch", () => {
    const before = estimate(100, "saturated", 10_000);
    expect(qpsOf(decideCapacityEstimate(before, twiceAsFast).estimate)).toBeCloseTo(100, 9);
  });

  test("are the evidence of a hint, not what made an earlier one", () => {
    const after = (source: SpeedEstimate["source"]) =>
      decideCapacityEstimate(estimate(40, source, 5_000), partial(work(8, 200))).estimate?.evidenceMs;
    expect(after("probe")).toBe(200);
    expect(after("served")).toBeCloseTo(5_200, 0);
  });

  test("move the mean length of texts half of the way in a hundred texts", () => {
    const longer: Work = { ...noWork, texts: 100, tokens: 4_000, cost: 4_800, busyMs: 200 };
    const before = estimate(1_000, "saturated", 500);
    expect(decideCapacityEstimate(before, partial(longer)).estimate?.tokensPerText).toBe(30);
  });

  test("are no evidence when they are too short", () => {
    const { rule } = decideCapacityEstimate(estimate(10, "probe"), partial(work(1, 99)));
    expect(rule).toBe("idle");
  });

  test("are the first estimate where nothing is known", () => {
    const { estimate: after } = decideCapacityEstimate(null, partial(work(10, 500)));
    expect(after).toEqual({ tokensPerS: 400, tokensPerText: 20, source: "served", evidenceMs: 500 });
  });
});

describe("an idle device", () => {
  test("knows nothing that it did not know", () => {
    expect(decideCapacityEstimate(null, idle)).toEqual({ rule: "idle", measuredTokensPerS: null, estimate: null });
    expect(decideCapacityEstimate(null, { ...saturated(work(9, 900)), windowMs: 0 }).estimate).toBeNull();
  });

  test("keeps its estimate and loses confidence: half of the evidence in half a day", () => {
    const before = estimate(100, "saturated", 8_000);
    const { estimate: after } = decideCapacityEstimate(before, { ...idle, windowMs: 12 * 3_600_000 });
    expect(after).toEqual({ ...before, evidenceMs: 4_000 });
  });
});

test.each([
  ["profile", 0, 0.1],
  ["probe", 0, 0.3],
  ["served", 0, 0.3],
  ["served", 20_000, 0.4],
  ["calibrated", 0, 0.8],
  ["saturated", 0, 0.6],
  ["saturated", 4_000, 0.8],
  ["saturated", 1e12, 1],
] as const)("confidence of %s after %d ms: %d", (source, evidenceMs, confidence) => {
  expect(confidenceOf({ source, evidenceMs })).toBeCloseTo(confidence, 6);
});
