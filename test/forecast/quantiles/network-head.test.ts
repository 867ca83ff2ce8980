import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { createNetworkHead } from "#forecast/quantiles/network-head.ts";

const calendar = createCalendar("UTC", []);
const stepMs = 60_000;
const steps = 15;
const random = seededRandom(6);
/** Uniform between 80 and 120: the highest of 15 has the quantile q at 80 + 40 · q^(1/15). */
const rates = Array.from({ length: 1_200 }, () => 80 + 40 * random());
const historyTo = (origin: number) => ({ qps: rates.slice(0, origin), stepMs, endMs: origin * stepMs, calendar });
const path = new Array<number>(steps).fill(100);

/** Lets a head forecast minute by minute, and tells it each peak once it is over. */
function teach(minutes: number) {
  const head = createNetworkHead();
  let quantiles = head.forecast(historyTo(60), path);
  for (let origin = 61; origin <= 60 + minutes; origin += 1) {
    const from = origin - steps;
    if (from >= 60) head.observe(from * stepMs, Math.max(...rates.slice(from, origin)));
    for (const _ of head.learn()) {
      // to the end
    }
    quantiles = head.forecast(historyTo(origin), path);
  }
  return { head, quantiles };
}

test("gives nothing until it knows the outcome of a hundred forecasts", () => {
  expect(teach(100).quantiles).toBeNull();
  expect(teach(140).quantiles).not.toBeNull();
});

test("a path that is right on average becomes quantiles of the peak", () => {
  const quantiles = teach(1_100).quantiles!;
  for (const [which, quantile] of [0.5, 0.9, 0.95].entries()) {
    expect(Math.abs(quantiles[which]! - (80 + 40 * quantile ** (1 / steps)))).toBeLessThan(4);
  }
});

test("a record that is shorter than the window has no quantiles, whatever was learnt", () => {
  const { head } = teach(200);
  expect(head.forecast(historyTo(60), path)).not.toBeNull();
  expect(head.forecast(historyTo(59), path)).toBeNull();
});

test("neither silence nor a short record is an input", () => {
  const head = createNetworkHead();
  const silent = { qps: new Array<number>(90).fill(0), stepMs, endMs: 90 * stepMs, calendar };
  expect(head.forecast(silent, path)).toBeNull();
  expect(head.forecast({ ...silent, qps: [1, 2, 3] }, path)).toBeNull();
  head.observe(90 * stepMs, 5);
  expect([...head.learn()]).toEqual([]);
});
