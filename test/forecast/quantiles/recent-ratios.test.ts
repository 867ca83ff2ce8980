import { expect, test } from "bun:test";
import { createRecentRatios } from "#forecast/quantiles/recent-ratios.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** Observes the same ratio at a time, this many times. */
function observe(ratios: ReturnType<typeof createRecentRatios>, endMs: number, ratio: number, count: number) {
  for (let index = 0; index < count; index += 1) ratios.observe(endMs, 10, 10 * ratio);
}

test("ranks are of the sorted ratios", () => {
  const ratios = createRecentRatios([0.5, 0.9], [1, 2]);
  for (let index = 39; index >= 1; index -= 1) ratios.observe(0, 10, 10 * index);
  // 39 ratios 1 … 39: ranks ⌈40 · 0.5⌉ and ⌈40 · 0.9⌉
  expect(ratios.factors(0)).toEqual([20, 36]);
});

test("factors are learnt anew after ten minutes, and at once when the clock was set back", () => {
  const ratios = createRecentRatios([0.5], [1]);
  observe(ratios, dayMs, 2, 20);
  expect(ratios.factors(dayMs)).toEqual([2]);
  observe(ratios, dayMs, 3, 60);
  expect(ratios.factors(dayMs + 10 * minuteMs - 1)).toEqual([2]);
  expect(ratios.factors(dayMs + 10 * minuteMs)).toEqual([3]);
  observe(ratios, dayMs, 4, 200);
  expect(ratios.factors(dayMs + 10 * minuteMs)).toEqual([3]);
  expect(ratios.factors(dayMs + 10 * minuteMs - 1)).toEqual([4]);
});

test("a day is remembered, and a hundred outcomes where there were fewer", () => {
  const after = (recent: number) => {
    const ratios = createRecentRatios([0.5], [1]);
    observe(ratios, 0, 2, 500);
    observe(ratios, 1, 3, recent);
    return ratios.factors(dayMs)[0];
  };
  // The older ones are just a day old. Of 99 newer ones and the one before them the median is still a newer one.
  expect(after(100)).toBe(3);
  expect(after(99)).toBe(3);
  expect(after(49)).toBe(2);
  const justRecent = createRecentRatios([0.5], [1]);
  observe(justRecent, 1, 2, 500);
  observe(justRecent, 2, 3, 100);
  expect(justRecent.factors(dayMs)).toEqual([2]);
  const few = createRecentRatios([0.5], [1]);
  observe(few, 0, 2, 500);
  observe(few, 1, 3, 50);
  // 50 and 50: rank ⌈101 · 0.5⌉ = 51
  expect(few.factors(dayMs)).toEqual([3]);
});
