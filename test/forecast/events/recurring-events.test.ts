import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { liftPath, liftPeak, RecurringEvents } from "#forecast/events/recurring-events.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";

const calendar = createCalendar("UTC", []);
const stepMs = 5 * minuteMs;
const perDay = dayMs / stepMs;
/** A Monday, five past three in the morning. */
const startMs = Date.UTC(2026, 2, 2, 3, 5);
/** Steps from there to 00:05, when the job runs. */
const first = 252;
const isJob = (index: number) => index % perDay === first;
const traffic: readonly number[] = Array.from({ length: 8 * perDay }, (_, index) => (isJob(index) ? 300 : 100));
const historyOf = (length: number, qps = traffic) => ({
  qps: qps.slice(0, length),
  stepMs,
  endMs: startMs + length * stepMs,
  calendar,
});

function learnt(length: number, qps = traffic) {
  const events = new RecurringEvents();
  for (const _ of events.learn(historyOf(length, qps))) {
    // to the end
  }
  return events;
}

test("the record without the job is flat, also after it has just run", () => {
  const events = learnt(5 * perDay);
  for (const length of [5 * perDay, 6 * perDay + first + 1, 6 * perDay + first + 2]) {
    expect(events.without(historyOf(length)).qps).toEqual(new Array(length).fill(100));
  }
});

test("a lower rate than usual stays as it is", () => {
  const quiet = traffic.with(3 * perDay + first, 20);
  expect(learnt(6 * perDay, quiet).without(historyOf(6 * perDay, quiet)).qps[3 * perDay + first]).toBe(20);
});

test("the job is coming when its step is among the next", () => {
  const events = learnt(5 * perDay);
  const comingAt = (before: number) => events.coming(historyOf(6 * perDay + first - before), 3);
  expect(comingAt(3)).toEqual([]);
  expect(comingAt(2)).toEqual([{ step: 2, excess: [200, 200, 200] }]);
  expect(comingAt(0)).toEqual([{ step: 0, excess: [200, 200, 200] }]);
  expect(comingAt(-1)).toEqual([]);
});

test("a job of weekdays does not come on Saturday", () => {
  // The job runs past midnight: its first run is on Tuesday, the fifth and sixth fall on a weekend.
  const weekdays = Array.from({ length: 14 * perDay }, (_, index) => {
    const day = new Date(startMs + index * stepMs).getUTCDay();
    return isJob(index) && day !== 0 && day !== 6 ? 300 : 100;
  });
  const events = learnt(11 * perDay, weekdays);
  const comesOn = (run: number) => events.coming(historyOf(run * perDay + first, weekdays), 1).length;
  expect([7, 8, 9, 10, 11, 12, 13].map(comesOn)).toEqual([1, 1, 1, 1, 0, 0, 1]);
});

test("without events nothing is copied", () => {
  const flat = new Array<number>(5 * perDay).fill(100);
  const history = historyOf(flat.length, flat);
  expect(learnt(flat.length, flat).without(history)).toBe(history);
});

test("searches again after six hours", () => {
  const events = learnt(5 * perDay);
  const slices = (length: number) => [...events.learn(historyOf(length))].length;
  expect(slices(5 * perDay + (6 * hourMs) / stepMs - 1)).toBe(0);
  expect(slices(5 * perDay + (6 * hourMs) / stepMs)).toBeGreaterThan(0);
});

test("a path gets the excess at its step, a peak only what is above it", () => {
  const coming = [{ step: 1, excess: [50, 60, 70] }] as const;
  expect(liftPath([10, 20, 30], coming, 0)).toEqual([10, 70, 30]);
  expect(liftPath([10, 20, 30], coming, 2)).toEqual([10, 90, 30]);
  expect(liftPeak([35, 75, 100], [10, 20, 30], coming)).toEqual([70, 80, 100]);
  expect(liftPeak([35, 75, 100], [10, 20, 30], [])).toEqual([35, 75, 100]);
});
