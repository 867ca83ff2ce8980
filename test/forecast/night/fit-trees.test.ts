import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { fitTreesToTrace } from "#forecast/night/fit-trees.ts";
import { runToEnd } from "#forecast/simple/rate-model.ts";
import { treesFromText } from "#forecast/trees/kept-trees.ts";
import { dayMs, minuteMs } from "#platform/time.ts";

const calendar = createCalendar("UTC", []);
const startMs = Date.UTC(2026, 0, 5);
const perDay = 1440;
const random = seededRandom(3);
const counts = Array.from({ length: 10 * perDay }, () => 60 * (90 + 20 * random()));
const traceOf = (given: readonly (number | null)[]) => ({
  ...{ name: "record", startMs, stepMs: minuteMs, counts: [...given] },
});
const fitOf = (given: readonly (number | null)[]) => {
  const text = runToEnd(fitTreesToTrace(traceOf(given), calendar));
  return text === null ? null : treesFromText(text);
};

test("trees for the next quarter of an hour, of the newest eight days", () => {
  const fit = fitOf(counts);
  expect(fit).toMatchObject({ steps: 15, stepMs: minuteMs, endMs: startMs + 10 * dayMs });
  // Days that are left out change nothing.
  const other = counts.map((count, minute) => (minute < 2 * perDay ? 10 * count : count));
  expect(fitOf(other)).toEqual(fit!);
  expect(fitOf(counts.map((count, minute) => (minute < 3 * perDay ? 10 * count : count)))).not.toEqual(fit!);
});

test("gaps are closed", () => {
  expect(fitOf(counts.map((count, minute) => (minute % 50 === 0 ? null : count)))?.trees).toHaveLength(3);
});

test.each([
  ["too little record", counts.slice(0, 2 * perDay - 1)],
  ["no record", new Array<null>(3 * perDay).fill(null)],
  ["no traffic", new Array<number>(3 * perDay).fill(0)],
])("none from %s", (_name, given) => {
  expect(fitOf(given)).toBeNull();
});
