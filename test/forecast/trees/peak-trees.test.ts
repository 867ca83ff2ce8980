import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { createPeakTrees } from "#forecast/trees/peak-trees.ts";
import { dayMs } from "#platform/time.ts";

const calendar = createCalendar("UTC", []);
const stepMs = 600_000;
const steps = 2;
const startMs = Date.UTC(2026, 0, 5);
const perDay = dayMs / stepMs;
const historyOf = (qps: readonly number[]) => ({ qps, stepMs, endMs: startMs + qps.length * stepMs, calendar });
const random = seededRandom(5);
/** Ten days of noise around 100, doubled from 12:00 to 12:20. */
const traffic = Array.from(
  { length: 10 * perDay },
  (_, step) => (90 + 20 * random()) * (step % perDay >= 72 && step % perDay < 74 ? 2 : 1),
);

function learnt(qps: readonly number[]) {
  const trees = createPeakTrees("trees");
  for (const _ of trees.learn(historyOf(qps), steps)) {
    // to the end
  }
  return trees;
}

test("ordered quantiles, above the job at noon and below it elsewhere", () => {
  const trees = learnt(traffic);
  const at = (step: number) => trees.forecast(historyOf(traffic.slice(0, 9 * perDay + step)), steps)!;
  for (const step of [0, 30, 71, 72, 73, 100]) {
    const [q50, q90, q95] = at(step);
    expect(q50).toBeLessThanOrEqual(q90);
    expect(q90).toBeLessThanOrEqual(q95);
  }
  expect(at(72)[1]).toBeGreaterThan(1.4 * at(30)[1]);
});

test("a constant rate is forecast as it is", () => {
  const constant = new Array<number>(1_000).fill(50);
  for (const rate of learnt(constant).forecast(historyOf(constant), steps)!) expect(rate).toBeCloseTo(50, 2);
});

test("the same record gives the same forecast", () => {
  const forecast = () => learnt(traffic).forecast(historyOf(traffic), steps);
  expect(forecast()).toEqual(forecast());
});

test.each([
  { name: "before it has learnt", qps: [] as number[], now: traffic },
  { name: "from too little record", qps: traffic.slice(0, 300), now: traffic },
  { name: "without traffic", qps: new Array<number>(1_000).fill(0), now: traffic },
  { name: "for too short a window", qps: traffic, now: traffic.slice(0, 59) },
])("nothing $name", ({ qps, now }) => {
  expect(learnt(qps).forecast(historyOf(now), steps)).toBeNull();
});

test("silence after traffic is silence", () => {
  const silent = [...traffic, ...new Array<number>(60).fill(0)];
  expect(learnt(traffic).forecast(historyOf(silent), steps)).toEqual([0, 0, 0]);
});

test("learns in slices, after a day again, at night after half a day", () => {
  const trees = createPeakTrees("trees");
  const slices = (length: number) => [...trees.learn(historyOf(traffic.slice(0, length)), steps)].length;
  expect(slices(7 * perDay + 80)).toBeGreaterThan(100); // 13:20
  expect(slices(8 * perDay)).toBe(0); // midnight
  expect(slices(8 * perDay + 13)).toBeGreaterThan(0); // 02:10
  expect(slices(9 * perDay)).toBe(0);
  expect(slices(9 * perDay + 12)).toBeGreaterThan(0); // 02:00
});
