import { beforeEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { CapacityEstimates, type StatedCapacity } from "#agent/capacity/capacity-estimates.ts";
import { CapacityWatch } from "#agent/capacity/capacity-watch.ts";
import { addWork, noWork } from "#agent/serving/batching/work-record.ts";

let stored: string | null;
let stated: StatedCapacity | null;
let nowMs: number;
let logged: Record<string, unknown>[];
const memory = {
  load: () => stored,
  save: (text: string) => {
    stored = text;
  },
};
const open = () =>
  new CapacityEstimates(
    memory,
    () => stated,
    () => nowMs,
  );

beforeEach(() => {
  stored = null;
  stated = { qps: 350, source: "profile", calibratedAtMs: null };
  nowMs = 1_000_000;
  logged = [];
});

/** A queue whose model computes texts of 20 tokens. */
function fakeQueue(warmUpSpeed: number | null = null) {
  let work = noWork;
  return {
    measurements: () => ({ work, warmUpSpeed }),
    compute(kind: "saturated" | "partial", texts: number, busyMs: number, boardMs = 0) {
      const waitingMs = kind === "saturated" ? busyMs : 0;
      work = addWork(work, {
        ...noWork,
        texts,
        tokens: texts * 20,
        cost: texts * 24,
        batches: texts / 8,
        computedCost: texts * 24,
        computeMs: busyMs,
        busyMs,
        boardMs,
        waitingMs,
        leftMs: waitingMs,
      });
    },
  };
}

function watching(options: { speed?: number; warmUpSpeed?: number } = {}) {
  const { speed = 1, warmUpSpeed = null } = options;
  const queue = fakeQueue(warmUpSpeed);
  const estimates = open();
  let modeName: string | null = "120W";
  let overloaded = false;
  let realMs = 0;
  const watch = new CapacityWatch({
    estimates,
    models: () => [{ id: "m", queue }],
    modeName: () => modeName,
    overloaded: () => overloaded,
    refusals: () => 0,
    realMs: () => realMs,
    speed,
    log: pino({ level: "info" }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
  });
  watch.observe();
  return {
    estimates,
    watch,
    queue,
    setMode: (name: string | null) => {
      modeName = name;
    },
    setOverloaded: () => {
      overloaded = true;
    },
    /** Two seconds in which the model computes so many texts. */
    pass(texts = 0, kind: "saturated" | "partial" = "saturated", busyMs = 2_000, boardMs = 0) {
      if (texts > 0) queue.compute(kind, texts, busyMs, boardMs);
      realMs += 2_000;
      nowMs += 2_000 * speed;
      watch.observe();
    },
  };
}

describe("a board whose capacity is not that of its profile", () => {
  test.each([0.05, 0.5, 2, 20])("is known to within 5 %% after two seconds at %d of it", (factor) => {
    const { pass, watch, estimates } = watching();
    pass(Math.round(350 * factor * 2));
    const [present] = watch.present();
    expect(present?.qps).toBeWithin(350 * factor * 0.95, 350 * factor * 1.05);
    expect(present).toMatchObject({ model: "m", modeName: "120W", tokensPerText: 20, source: "saturated" });
    expect(present?.confidence).toBeGreaterThan(0.7);
    expect(estimates.measured("m").map(({ modeName }) => modeName)).toEqual(["120W"]);
  });

  test("on a clock that runs faster: rates are in its time", () => {
    const { pass, watch } = watching({ speed: 100 });
    pass(350 * 2 * 100);
    expect(watch.present()[0]?.qps).toBeCloseTo(350, 6);
  });

  test("the same where the board's capacity and not the model takes the time", () => {
    const { pass, watch } = watching({ speed: 100 });
    for (let window = 0; window < 20; window += 1) pass(100 * 2 * 100, "partial", 500, 2_000);
    expect(watch.present()[0]?.qps).toBeWithin(99, 101);
  });

  test("is measured without any figure of the board", () => {
    stated = null;
    const { pass, watch } = watching();
    pass(34);
    expect(watch.present()).toMatchObject([{ qps: 17, source: "saturated" }]);
  });
});

test("without work the profile stands, and a warm-up is better than it", () => {
  expect(watching().watch.present()).toMatchObject([{ qps: 350, source: "profile", confidence: 0.1 }]);
  // Two tokens a millisecond, of texts with 32 tokens.
  expect(watching({ warmUpSpeed: 2 }).watch.present()).toMatchObject([{ qps: 62.5, source: "probe", confidence: 0.3 }]);
  stated = { qps: 300, source: "calibrated", calibratedAtMs: 5 };
  expect(watching({ warmUpSpeed: 2 }).watch.present()).toMatchObject([{ qps: 300, source: "calibrated" }]);
  stated = null;
  expect(watching().watch.present()).toEqual([]);
});

test("a stretch in which the mode changed says nothing, and each mode has its own estimate", () => {
  const { pass, watch, setMode, estimates } = watching();
  pass(34);
  setMode("MAXN");
  pass(600);
  expect(watch.present()).toMatchObject([{ modeName: "MAXN", qps: 17, source: "served", confidence: 0.3 }]);
  pass(50);
  expect(watch.present()).toMatchObject([{ modeName: "MAXN", qps: 25 }]);
  expect(estimates.of("m", "120W", null)).toMatchObject({ qps: 17 });
  expect(estimates.measured("m")).toMatchObject([
    { modeName: "120W", qps: 17 },
    { modeName: "MAXN", qps: 25 },
  ]);
});

test("a mode that was not measured is slower than stated by as much as the one that was", () => {
  const estimates = new CapacityEstimates(
    memory,
    (_, modeName) => ({ qps: modeName === "MAXN" ? 400 : 200, source: "profile", calibratedAtMs: null }),
    () => nowMs,
  );
  const saturated = { ...noWork, texts: 20, tokens: 400, cost: 480, busyMs: 2_000, waitingMs: 2_000, leftMs: 2_000 };
  estimates.observe("m", "70W", null, { ...saturated, windowMs: 2_000, overloaded: false });
  expect(estimates.of("m", "MAXN", 5_000)).toMatchObject({ qps: 20, source: "served", confidence: 0.3 });
  expect(estimates.measuredTokensPerS("m", "MAXN")).toBe(400);
  expect(estimates.measured("m")).toMatchObject([{ modeName: "70W", qps: 10 }]);
});

test("a capacity that is far from the known one is logged, once", () => {
  const { pass } = watching();
  for (let index = 0; index < 5; index += 1) pass(34);
  expect(logged).toEqual([expect.objectContaining({ model: "m", mode: "120W", rule: "saturated", from: 350, to: 17 })]);
});

test("an idle device loses confidence, in the same run too", () => {
  const { pass, watch } = watching({ speed: 3_600 });
  pass(34 * 3_600);
  const before = watch.present()[0];
  // A day of its clock.
  for (let index = 0; index < 12; index += 1) pass();
  expect(watch.present()[0]?.qps).toBe(before?.qps as number);
  expect(watch.present()[0]?.confidence).toBeLessThan(before?.confidence as number);
});

test("a calibrated rate is not raised for the choice of the mode: it kept a latency", () => {
  stated = { qps: 100, source: "calibrated", calibratedAtMs: 5 };
  const { pass, watch, estimates } = watching();
  pass(300);
  expect(watch.present()).toMatchObject([{ qps: 150, source: "saturated" }]);
  expect(estimates.measured("m")).toMatchObject([{ qps: 100 }]);
  for (let index = 0; index < 5; index += 1) pass(50);
  expect(estimates.measured("m")).toMatchObject([{ qps: 25 }]);
});

test("a hint does not replace the profile", () => {
  const { pass, estimates } = watching();
  for (let index = 0; index < 100; index += 1) pass(20, "partial", 1_000);
  expect(estimates.of("m", "120W", null)).toMatchObject({ source: "served" });
  expect(estimates.measured("m")).toEqual([]);
  expect(estimates.measuredTokensPerS("m", "120W")).toBeNull();
});

test("requests that are refused while the model has nothing to do lower the capacity", () => {
  const { pass, watch, setOverloaded } = watching();
  pass();
  setOverloaded();
  pass(34, "partial", 300);
  expect(watch.present()).toMatchObject([{ qps: 17, source: "saturated" }]);
});

test("the figures that the agent decides by follow changes of more than a tenth", () => {
  const { pass, estimates } = watching();
  pass(200);
  expect(estimates.measured("m")).toMatchObject([{ qps: 100 }]);
  for (let index = 0; index < 20; index += 1) pass(210);
  expect(estimates.measured("m")).toMatchObject([{ qps: 100 }]);
  expect(estimates.of("m", "120W", null)?.qps).toBeCloseTo(105, 1);
  for (let index = 0; index < 20; index += 1) pass(240);
  expect(estimates.measured("m")[0]?.qps).toBeGreaterThan(110);
});

describe("the next run", () => {
  test("knows what was measured", () => {
    const { pass, estimates } = watching();
    pass(34);
    estimates.save();
    expect(open().of("m", "120W", 2_000)).toMatchObject({ qps: 17, source: "saturated" });
    expect(open().measuredTokensPerS("m", "120W")).toBe(340);
    expect(open().of("other", "MAXN", null)).toMatchObject({ source: "profile" });
  });

  test("knows how fast batches were, and sees at once that they are slower", () => {
    const { pass, watch, estimates } = watching();
    pass(200);
    for (let window = 0; window < 20; window += 1) pass(100, "partial", 1_000);
    expect(watch.present()[0]?.qps).toBeCloseTo(100, 6);
    estimates.save();
    const again = watching();
    for (let window = 0; window < 60; window += 1) again.pass(50, "partial", 1_000);
    expect(again.watch.present()[0]?.qps).toBeWithin(50, 56);
  });

  test("takes a later calibration instead", () => {
    const { pass, estimates } = watching();
    pass(34);
    estimates.save();
    stated = { qps: 300, source: "calibrated", calibratedAtMs: nowMs + 1 };
    expect(open().of("m", "120W", null)).toMatchObject({ qps: 300, source: "calibrated" });
    expect(open().measured("m")).toEqual([]);
  });

  test.each(["", "{", "{}", '[{"model":"m"}]', '[{"model":"m","modeName":null,"tokensPerS":0}]'])(
    "measures again what it can't read: %p",
    (text) => {
      stored = text;
      expect(open().of("m", "120W", null)).toMatchObject({ source: "profile" });
    },
  );

  test("remembers 64 pairs of model and mode, the newest", () => {
    const estimates = open();
    const saturated = { ...noWork, texts: 20, tokens: 400, cost: 480, busyMs: 2_000, waitingMs: 2_000, leftMs: 2_000 };
    for (let index = 0; index < 70; index += 1)
      estimates.observe(`m${index}`, null, null, {
        ...saturated,
        windowMs: 2_000,
        overloaded: false,
      });
    estimates.save();
    expect(JSON.parse(stored ?? "[]")).toHaveLength(64);
    expect(open().of("m5", null, null)?.source).toBe("profile");
    expect(open().of("m69", null, null)?.source).toBe("saturated");
  });

  test("finds nothing where nothing was measured", () => {
    open().save();
    expect(stored).toBeNull();
  });
});
