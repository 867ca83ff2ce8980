import { expect, test } from "bun:test";
import { decideModeDwell } from "#controller/scaling/apply-plan/decide-mode-dwell.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";

const nowMs = 100 * dayMs;
const config = { modeDwellS: 600, mostSwitchesPerDay: 40 };
const ago = (...agesMs: number[]) => agesMs.map((ageMs) => nowMs - ageMs);
const spread = (count: number, newestMs: number) =>
  Array.from({ length: count }, (_, index) => nowMs - newestMs - (count - 1 - index) * 20 * minuteMs);

test.each<[string, number[], string, number]>([
  ["never changed", [], "free", 0],
  ["changed ten minutes and a second ago", ago(601_200), "free", 1],
  ["changed just now", ago(0), "dwell", 1],
  ["changed less than ten minutes ago", ago(599_000), "dwell", 1],
  ["changed more than a day ago", ago(dayMs), "free", 0],
  ["changes of the future don't count: the clock was set back", ago(-hourMs), "free", 0],
  // 20 of 40: 1 + 3 / 4 times ten minutes.
  ["half of the day's changes, 17 minutes ago", spread(20, 17 * minuteMs), "dwell", 20],
  ["half of the day's changes, 18 minutes ago", spread(20, 18 * minuteMs), "free", 20],
  ["one pair of changes left", spread(38, 40 * minuteMs), "free", 38],
  ["no pair of changes left", spread(39, 10 * hourMs), "no-switches-left", 39],
])("a mode that was %s", (_name, switchesMs, rule, switchesInLastDay) => {
  expect(decideModeDwell(switchesMs, config, nowMs)).toEqual({ rule, switchesInLastDay } as never);
});
