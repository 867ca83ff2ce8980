import { expect, test } from "bun:test";
import { arrivalTimes } from "#tools/load/arrival-times.ts";
import { seededRandom } from "./limit/queue-model.ts";

test("constant: evenly spaced from the begin on", () => {
  expect([...arrivalTimes({ durationMs: 500, level: 10 }, "constant")]).toEqual([0, 100, 200, 300, 400]);
});

test.each([
  [0, 100],
  [100, 0],
  [20, 60],
])("a ramp from %i to %i: as many as the area under it, ever closer or ever wider", (level, toLevel) => {
  const durationMs = 10_000;
  const times = [...arrivalTimes({ durationMs, level, toLevel }, "constant")];
  expect(times).toHaveLength(((level + toLevel) / 2) * 10);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times.at(-1)).toBeLessThanOrEqual(durationMs);
  // The rate around the middle is the mean of both.
  const middle = times.filter((ms) => ms >= 4_500 && ms < 5_500).length;
  expect(Math.abs(middle - (level + toLevel) / 2)).toBeLessThanOrEqual(1);
  const firstHalf = times.filter((ms) => ms < durationMs / 2).length;
  expect(Math.abs(firstHalf - 5 * (level + (toLevel - level) / 4))).toBeLessThanOrEqual(1);
});

test("poisson: as many on average, gaps as independent arrivals have them", () => {
  const times = [...arrivalTimes({ durationMs: 100_000, level: 100 }, "poisson", seededRandom(3))];
  expect(Math.abs(times.length - 10_000)).toBeLessThan(300);
  const gaps = times.slice(1).map((ms, i) => ms - (times[i] as number));
  const mean = gaps.reduce((sum, each) => sum + each, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, each) => sum + (each - mean) ** 2, 0) / gaps.length);
  // An exponential distribution's deviation is its mean.
  expect(deviation / mean).toBeGreaterThan(0.95);
  expect(deviation / mean).toBeLessThan(1.05);
});
