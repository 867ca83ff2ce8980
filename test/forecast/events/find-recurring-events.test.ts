import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { findRecurringEvents, usualRate } from "#forecast/events/find-recurring-events.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

const calendar = createCalendar("UTC", []);
const stepMs = 5 * minuteMs;
/** A Monday. */
const startMs = Date.UTC(2026, 2, 2);

/** Finds the events of noise around 100, to which `rise` is added. */
function find(days: number, rise: (day: number, slot: number) => number, step = stepMs) {
  const random = seededRandom(3);
  const steps = dayMs / step;
  const qps = Array.from(
    { length: days * steps },
    (_, index) => 95 + 10 * random() + rise(Math.floor(index / steps), index % steps),
  );
  return runToEnd(findRecurringEvents({ qps, stepMs: step, endMs: startMs + qps.length * step, calendar }));
}

test("the usual rate is the median of half an hour before and after", () => {
  const qps = Array.from({ length: 40 }, (_, index) => index);
  expect([6, 20, 33].map((index) => usualRate({ qps, stepMs }, index))).toEqual([6, 20, 33]);
});

test("a rise within four times the usual distance from the usual rate is noise", () => {
  const random = seededRandom(3);
  const steps = dayMs / stepMs;
  const qps = Array.from({ length: 14 * steps }, (_, index) => 75 + 50 * random() + (index % steps === 9 ? 62 : 0));
  const history = { qps, stepMs, endMs: startMs + qps.length * stepMs, calendar };
  expect(runToEnd(findRecurringEvents(history))).toEqual([]);
});

test("a job at five past midnight, with the size it had", () => {
  const [event, ...others] = find(6, (day, slot) => (slot === 1 ? 200 + 10 * day : 0));
  expect(others).toEqual([]);
  expect(event).toMatchObject({ timeOfDayMs: stepMs, days: "all" });
  // The median of 200, 210, …, 250 and its highest, give or take the noise.
  expect(event?.excess[0]).toBeWithin(213, 237);
  expect(event?.excess[1]).toBeWithin(242, 258);
  expect(event?.excess[2]).toBe(event?.excess[1] ?? 0);
});

test.each([
  { name: "two days are too few", days: 2, rise: (_: number, slot: number) => (slot === 9 ? 200 : 0), found: [] },
  { name: "three days are enough", days: 3, rise: (_: number, slot: number) => (slot === 9 ? 200 : 0), found: ["all"] },
  {
    name: "a day without it is forgiven in five",
    days: 5,
    rise: (day: number, slot: number) => (slot === 9 && day !== 3 ? 200 : 0),
    found: ["all"],
  },
  {
    name: "one in two is no habit",
    days: 10,
    rise: (day: number, slot: number) => (slot === 9 && day % 2 === 0 ? 200 : 0),
    found: [],
  },
  {
    name: "on weekdays",
    days: 14,
    rise: (day: number, slot: number) => (slot === 9 && day % 7 < 5 ? 200 : 0),
    found: ["weekdays"],
  },
  {
    name: "on weekends",
    days: 14,
    rise: (day: number, slot: number) => (slot === 9 && day % 7 >= 5 ? 200 : 0),
    found: ["weekends"],
  },
  {
    name: "a job that was stopped three days ago",
    days: 10,
    rise: (day: number, slot: number) => (slot === 9 && day < 7 ? 200 : 0),
    found: [],
  },
  { name: "noise", days: 14, rise: () => 0, found: [] },
  { name: "a rise by a tenth", days: 7, rise: (_: number, slot: number) => (slot === 9 ? 10 : 0), found: [] },
  {
    name: "a morning that begins with its highest step",
    days: 7,
    rise: (_: number, slot: number) => (slot >= 96 && slot < 216 ? (slot === 96 ? 440 : 400) : 0),
    found: [],
  },
  { name: "office hours", days: 7, rise: (_: number, slot: number) => (slot >= 96 && slot < 216 ? 400 : 0), found: [] },
  { name: "no record", days: 0, rise: () => 0, found: [] },
])("$name", ({ days, rise, found }) => {
  expect(find(days, rise).map((event) => event.days)).toEqual([...found]);
});

test("steps that don't divide a day have no time of the day", () => {
  expect(find(7, (_, slot) => (slot === 9 ? 500 : 0), 7 * minuteMs)).toEqual([]);
});
