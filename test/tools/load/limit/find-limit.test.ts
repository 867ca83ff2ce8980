import { describe, expect, test } from "bun:test";
import { findLimit, type LimitStep } from "#tools/load/limit/find-limit.ts";
import { createLimitReport, formatLimitReport } from "#tools/load/limit/limit-report.ts";
import { quantileOf, type StepSample } from "#tools/load/limit/step-sample.ts";
import { parseTargets } from "#tools/load/load-targets.ts";
import { type QueueModel, seededRandom, simulateStep } from "./queue-model.ts";

interface SearchOptions {
  readonly seed?: number;
  readonly startRate?: number;
  readonly maxRate?: number;
  readonly maxTimeMs?: number;
  readonly stopAfter?: number;
  /** Changes what a step measured; steps count from 0. */
  readonly disturb?: (sample: StepSample, step: number) => StepSample;
}

/** Searches the limit of a modelled server; time is what the steps take. */
async function search(model: QueueModel, targets: string, options: SearchOptions = {}) {
  const { seed = 1, startRate = 10, maxRate = 100_000, maxTimeMs = 3_600_000 } = options;
  const { stopAfter = Number.POSITIVE_INFINITY, disturb = (sample) => sample } = options;
  const random = seededRandom(seed);
  let measured = 0;
  let nowMs = 0;
  const shown: LimitStep[] = [];
  const found = await findLimit({
    targets: parseTargets(targets),
    startRate,
    maxRate,
    maxTimeMs,
    overheadMs: 2_000,
    nowMs: () => nowMs,
    async measure(rate, durationMs) {
      nowMs += 2_000 + durationMs;
      return disturb(simulateStep(model, rate, durationMs, random), measured++);
    },
    stopped: () => measured >= stopAfter,
    onStep: (step) => void shown.push(step),
  });
  expect(shown).toEqual([...found.steps]);
  const about = {
    asked: { url: "http://127.0.0.1:1" },
    machine: "a model",
    maxRate,
    textsPerRequest: 2,
    tokensPerText: 16,
    durationMs: nowMs,
    clientCpuS: 1,
    retries: {},
  };
  return { ...found, nowMs, report: createLimitReport(found, about, parseTargets(targets)) };
}

/** The highest rate whose quantile keeps the limit, from a simulation far longer than a search. */
function trueLimit(model: QueueModel, limitMs: number, quantile: number): number {
  let [low, high] = [1, model.capacity];
  for (let round = 0; round < 10; round += 1) {
    const rate = (low + high) / 2;
    const { requests } = simulateStep(model, rate, (1_000 * 200_000) / rate, seededRandom(77 + round));
    const latencies = requests.map(({ latencyMs }) => latencyMs);
    if ((quantileOf(latencies, quantile) as number) <= limitMs) low = rate;
    else high = rate;
  }
  return low;
}

describe("a server with a known limit is found within 5 %", () => {
  const models: readonly (readonly [string, QueueModel, string, number, number])[] = [
    ["even service times, p95", { capacity: 400, noise: 0 }, "p95=20ms", 20, 0.95],
    ["noisy service times, p95", { capacity: 1_000, noise: 0.5 }, "p95=10ms", 10, 0.95],
    ["very noisy service times, p95", { capacity: 2_000, noise: 1 }, "p95=8ms", 8, 0.95],
    ["noisy service times, p99", { capacity: 2_000, noise: 0.5 }, "p99=8ms", 8, 0.99],
  ];
  test.each(models)("%s, with six seeds", async (_, model, targets, limitMs, quantile) => {
    const truth = trueLimit(model, limitMs, quantile);
    const ratios: number[] = [];
    for (let seed = 1; seed <= 6; seed += 1) {
      const { report } = await search(model, targets, { seed });
      expect(report.end).toBe("found");
      ratios.push((report.limit?.rate ?? 0) / truth);
    }
    expect({ truth, off: ratios.filter((ratio) => Math.abs(ratio - 1) > 0.05) }).toEqual({ truth, off: [] });
  });

  test("a full queue that answers 429", async () => {
    const { report } = await search({ capacity: 500, noise: 0, maxQueue: 20 }, "p95=1s,errors=1%");
    expect(report.limit?.rate).toBeGreaterThan(0.95 * 490);
    expect(report.limit?.rate).toBeLessThan(1.05 * 505);
    expect(report.brokenBy.join()).toMatch(/^errors [\d.]+ % \(\d+ HTTP 429\) was over 1 %$/);
  });

  test("a queue that grows without bound, long before its latency target is reached", async () => {
    const { report } = await search({ capacity: 500, noise: 0.2 }, "p95=60s");
    expect(Math.abs((report.limit?.rate ?? 0) / 500 - 1)).toBeLessThan(0.05);
    expect(report.brokenBy.join()).toMatch(/answers took [\d.]+ ms longer each second: the queue grew/);
  });

  test.each([0, 2, 5, 9])("although the machine did something else during step %i", async (when) => {
    const model = { capacity: 1_000, noise: 0.5 };
    const truth = trueLimit(model, 10, 0.95);
    const disturb = (sample: StepSample, step: number) =>
      step === when
        ? { ...sample, requests: sample.requests.map((each) => ({ ...each, latencyMs: each.latencyMs + 50 })) }
        : sample;
    const { report } = await search(model, "p95=10ms", { disturb });
    expect(Math.abs((report.limit?.rate ?? 0) / truth - 1)).toBeLessThan(0.05);
  });
});

describe("a search that names no limit says why", () => {
  test("the generator is too slow, not the server", async () => {
    const { report } = await search({ capacity: 5_000, noise: 0, generatorRate: 700 }, "p95=20ms");
    expect(report).toMatchObject({ end: "late", generator: { isLimit: true } });
    expect(report.limit?.rate).toBeGreaterThan(500);
    expect(report.limit?.rate).toBeLessThan(700);
    expect(report.explanation.join("\n")).toMatch(/Limit: at least .*\n.*this program was late to send \(p95 /);
    // A generator with the same limit in front of a slower server is not to blame.
    const slow = await search({ capacity: 300, noise: 0, generatorRate: 700 }, "p95=20ms");
    expect(slow.report).toMatchObject({ end: "found", generator: { isLimit: false } });
    const truth = trueLimit({ capacity: 300, noise: 0 }, 20, 0.95);
    expect(Math.abs((slow.report.limit?.rate ?? 0) / truth - 1)).toBeLessThan(0.05);
  });

  test("even the maximum is kept", async () => {
    const { report, steps } = await search({ capacity: 5_000, noise: 0 }, "p95=20ms", { maxRate: 100 });
    expect(report).toMatchObject({ end: "beyond", limit: { rate: 100 }, missedRate: null, missed: [] });
    expect(steps.map(({ sample }) => sample.rate)).toEqual([10, 20, 40, 80, 100]);
    expect(report.explanation.join("\n")).toContain("The targets were met at --max-rate 100: the limit is higher.");
  });

  test("not even single requests are answered in time", async () => {
    const { report } = await search({ capacity: 100, noise: 0 }, "p95=5ms");
    expect(report).toMatchObject({ end: "none", limit: null });
    expect(report.missed).toEqual(["the targets are met at none of the measured rates"]);
  });

  test("the time is over, and it kept to it", async () => {
    const { report, nowMs } = await search({ capacity: 400, noise: 0 }, "p95=20ms", { maxTimeMs: 60_000 });
    expect(report.end).toBe("time");
    expect(nowMs).toBeLessThanOrEqual(60_000);
    expect(report.limit?.rate).toBeGreaterThan(10);
    expect(report.explanation.join("\n")).toContain("set a longer --duration");
  });

  test("a signal came: the step under way does not count", async () => {
    const { report } = await search({ capacity: 400, noise: 0 }, "p95=20ms", { stopAfter: 3 });
    expect(report).toMatchObject({ end: "stopped", limit: { rate: 20 } });
  });
});

test("a limit below the rate that was asked for is a miss", async () => {
  const model = { capacity: 400, noise: 0 };
  expect((await search(model, "p95=20ms,rate=1000")).report.missed.join()).toMatch(
    /^the limit \d+ requests\/s is under/,
  );
  expect((await search(model, "p95=20ms,rate=100")).report.missed).toEqual([]);
});

test("the text fits 80 columns and says rate, tokens and what broke", async () => {
  const { report } = await search({ capacity: 400, noise: 0 }, "p95=20ms");
  const text = formatLimitReport(report);
  expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
  const { rate, textsPerS, tokensPerS } = report.limit as NonNullable<typeof report.limit>;
  expect([textsPerS / rate, tokensPerS / rate]).toEqual([2, 32]);
  expect(text).toMatch(/Limit: \d+ requests\/s \(\d+ texts\/s, about [\d,]+ tokens\/s\)\./);
  expect(text).toMatch(/At \d+ requests\/s: p95 [\d.]+ ms was over 20\.0 ms/);
  expect(text).toContain("p95 needs 200 requests, p99 needs 1000 requests");
  expect(text).toEndWith("passed");
});
