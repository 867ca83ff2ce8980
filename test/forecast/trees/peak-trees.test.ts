import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { KeptTrees, treesToText } from "#forecast/trees/kept-trees.ts";
import { createPeakTrees, fitPeakTrees } from "#forecast/trees/peak-trees.ts";
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

function learnt(qps: readonly number[], kept: KeptTrees | null = null) {
  const trees = createPeakTrees("trees", kept);
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

test("the next run forecasts by the trees of the one before, and takes over those of the trainer", () => {
  let text: string | null = null;
  const memory = {
    load: () => text,
    save: (written: string) => {
      text = written;
    },
  };
  const before = learnt(traffic.slice(0, 8 * perDay), new KeptTrees(memory));
  const now = historyOf(traffic.slice(0, 8 * perDay + 5));
  const next = createPeakTrees("trees", new KeptTrees(memory));
  expect([...next.learn(now, steps)]).toEqual([]);
  const own = before.forecast(now, steps)!;
  expect(next.forecast(now, steps)).toEqual(own);
  const fitOf = (qps: readonly number[]) => {
    const task = fitPeakTrees(historyOf(qps), steps, null);
    for (;;) {
      const { done, value } = task.next();
      if (done) return value!;
    }
  };
  const doubled = traffic.map((rate, step) => (step % perDay === 30 ? 3 * rate : rate));
  memory.save(treesToText(fitOf(doubled.slice(0, 8 * perDay + 2))));
  const taken = next.forecast(now, steps);
  expect(taken).not.toEqual(own);
  // An older fit is no news.
  memory.save(treesToText(fitOf(traffic.slice(0, 7 * perDay))));
  expect(next.forecast(now, steps)).toEqual(taken);
});
