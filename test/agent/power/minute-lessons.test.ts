import { beforeEach, expect, test } from "bun:test";
import type { ObservedMinute } from "#agent/power/calibration/decide-correction.ts";
import type { MeasuredEnergy } from "#agent/power/energy/energy-meter.ts";
import type { SteadyMinute } from "#agent/power/energy/idle-draw.ts";
import { MinuteLessons } from "#agent/power/minute-lessons.ts";
import type { ServedMinute } from "#agent/power/mode/mode-watch.ts";
import { emptyLatencyCounts, latencyBucket } from "#protocol/latency-histogram.ts";
import type { MinuteTraffic } from "#protocol/messages.ts";

let figures: (ObservedMinute & { modeId: number })[];
let idle: SteadyMinute[];
let rates: [number, number][];
let missed: boolean[];
let judged: ServedMinute[];
/** Verdict of the mode watch on the next minutes. */
let verdict: boolean | null;
let lessons: MinuteLessons;
beforeEach(() => {
  [figures, idle, rates, missed, judged, verdict] = [[], [], [], [], [], null];
  lessons = new MinuteLessons({
    figures: {
      observe: (modeId, minute) => void figures.push({ modeId, ...minute }),
      origin: () => ({ targetP95Ms: 50 }) as never,
    },
    idleDraw: { observe: (minute) => void idle.push(minute) },
    headroom: { observe: (minuteStartMs, qps) => void rates.push([minuteStartMs, qps]) },
    budget: { observe: (isMissed) => void missed.push(isMissed) },
    watch: {
      close(minute) {
        judged.push(minute);
        return verdict;
      },
    },
  });
});

const measured = (change: Partial<MeasuredEnergy> = {}): MeasuredEnergy => ({
  energyJ: 1200,
  measuredMs: 60_000,
  idleJ: 0,
  activeJ: 0,
  unsplitJ: 1200,
  maxTemperatureC: null,
  gpuUtilization: null,
  ...change,
});

function served(texts: number, latencyMs: number, computeMs = 30) {
  const latencyCounts = emptyLatencyCounts();
  latencyCounts[latencyBucket(latencyMs)] = texts / 2;
  return { model: `m${latencyMs}`, requests: texts / 2, texts, tokens: 1, computeMs, latencyCounts };
}

const minute = (models: MinuteTraffic["models"], change: Partial<MinuteTraffic> = {}): MinuteTraffic => ({
  minuteStartMs: 60_000,
  observedMs: 60_000,
  errors: 0,
  rejected: 0,
  models,
  ...change,
});
const busy = minute([served(600, 10), served(1800, 90)]);

test("a whole minute in one mode corrects its figures, with the sums of all models and the p95 of the slowest", () => {
  lessons.teach(measured(), [busy], 3);
  expect(figures).toEqual([]);
  lessons.teach(measured(), [busy], 3);
  expect(figures).toHaveLength(1);
  expect(figures[0]).toMatchObject({ modeId: 3, qps: 40, requests: 1200, meanWatts: 20 });
  expect(figures[0]?.p95Ms).toBeGreaterThan(60);
  expect(idle).toEqual([{ modeId: 3, computeMs: 60, meanWatts: 20 }]);
});

test.each([
  ["another mode at its end", () => lessons.teach(measured(), [busy], 4)],
  ["an unknown mode at its end", () => lessons.teach(measured(), [busy], null)],
  [
    "a mode that changed and came back",
    () => {
      lessons.disturb();
      lessons.teach(measured(), [busy], 3);
    },
  ],
  ["less than a minute", () => lessons.teach(measured(), [{ ...busy, observedMs: 59_999 }], 3)],
  ["no minute", () => lessons.teach(measured(), [], 3)],
  ["two minutes that close together", () => lessons.teach(measured(), [busy, busy], 3)],
])("%s corrects nothing; the next minute in one mode does", (_, close) => {
  lessons.teach(measured(), [busy], 3);
  close();
  expect(figures).toEqual([]);
  expect(idle).toEqual([]);
  lessons.teach(measured(), [busy], 7);
  lessons.teach(measured(), [busy], 7);
  expect(figures.map(({ modeId }) => modeId)).toEqual([7]);
});

test("an unknown mode is no mode to learn of", () => {
  lessons.teach(measured(), [busy], null);
  lessons.teach(measured(), [busy], null);
  expect(figures).toEqual([]);
});

test.each([
  [57_000, 1200 / 57],
  [56_999, null],
])("with readings for %p ms of a minute its mean power is %p W", (measuredMs, meanWatts) => {
  lessons.teach(measured(), [busy], 3);
  lessons.teach(measured({ measuredMs }), [busy], 3);
  expect(figures[0]?.meanWatts).toEqual(meanWatts);
  expect(idle[0]?.meanWatts).toEqual(meanWatts);
});

test("a minute without requests has no p95", () => {
  lessons.teach(measured(), [minute([])], 3);
  lessons.teach(measured(), [minute([])], 3);
  expect(figures).toEqual([{ modeId: 3, qps: 0, requests: 0, p95Ms: null, meanWatts: 20 }]);
  expect(judged.at(-1)).toEqual({ qps: 0, p95Ms: null, targetP95Ms: 50 });
});

test("every whole minute that closes alone is judged, also one of changing modes; the budget learns the verdict", () => {
  for (const [given, modeId] of [
    [true, 1],
    [false, 2],
    [null, 2],
  ] as const) {
    verdict = given;
    lessons.teach(measured(), [busy], modeId);
  }
  expect(judged.map(({ qps, targetP95Ms }) => [qps, targetP95Ms])).toEqual([
    [40, 50],
    [40, 50],
    [40, 50],
  ]);
  expect(missed).toEqual([true, false]);
  lessons.teach(measured(), [busy, busy], 2);
  lessons.teach(measured(), [{ ...busy, observedMs: 59_999 }], 2);
  expect(judged).toHaveLength(3);
});

test("the headroom learns the rate of every whole minute, also of minutes that close together", () => {
  lessons.teach(
    measured(),
    [{ ...busy, observedMs: 30_000 }, { ...busy, minuteStartMs: 120_000 }, minute([], { minuteStartMs: 180_000 })],
    1,
  );
  expect(rates).toEqual([
    [120_000, 40],
    [180_000, 0],
  ]);
});

test("texts from the cache need no capacity, and refused ones do", () => {
  const refused = [
    { cause: "queue" as const, requests: 10, texts: 1200, tokens: 1 },
    { cause: "standby" as const, requests: 10, texts: 9999, tokens: 1 },
  ];
  const flood = minute([{ ...served(1800, 90), cachedTexts: 600, refused }]);
  lessons.teach(measured(), [flood], 3);
  lessons.teach(measured(), [flood], 3);
  expect(figures[0]?.qps).toBe(20);
  expect(judged[0]?.qps).toBe(40);
  expect(rates).toEqual([
    [60_000, 40],
    [60_000, 40],
  ]);
});
