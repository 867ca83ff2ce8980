import { expect, test } from "bun:test";
import { createCalendar } from "#forecast/data/calendar.ts";
import { judgeRises } from "#forecast/judge/judge-rises.ts";
import type { Replay } from "#forecast/judge/replay-forecasts.ts";
import { minuteMs } from "#platform/time.ts";

const calendar = createCalendar("UTC", []);
const steps = 15;
/** Rises from 10 to 20 a second in minute 40 of 100. */
const qps = Array.from({ length: 100 }, (_, minute) => (minute < 40 ? 10 : 20));

/** Judges forecasts made at these minutes, with these medians of the peak; those from `judgedFrom` on count. */
function judge(peaks: Readonly<Record<number, number>>, { judgedFrom = 0, rates = qps as (number | null)[] } = {}) {
  const origins = Object.keys(peaks).map(Number);
  const replay: Replay = {
    origins,
    judgedFrom,
    actual: origins.map((origin) => qps.slice(origin, origin + steps)),
    forecasts: new Map(),
    served: origins.map((origin) => {
      const peak = peaks[origin] as number;
      const path = new Array<number>(steps).fill(10);
      return { shares: {}, path: [path, path, path], peak: [peak, peak, peak], networkPeak: null };
    }),
  };
  return judgeRises(replay, { startMs: 0, qps: rates, calendar }, minuteMs);
}

test.each([
  {
    name: "forecast ten minutes before",
    peaks: { 26: 10, 30: 18, 34: 10 },
    rises: 1,
    hits: 1,
    falseAlarms: 0,
    lead: 10,
  },
  { name: "forecast only once it was there", peaks: { 30: 10, 40: 20 }, rises: 1, hits: 0, falseAlarms: 0, lead: null },
  {
    name: "forecast too early: a false alarm",
    peaks: { 10: 18, 35: 10 },
    rises: 1,
    hits: 0,
    falseAlarms: 1,
    lead: null,
  },
  { name: "nothing forecast, nothing came", peaks: { 10: 10, 60: 20 }, rises: 0, hits: 0, falseAlarms: 0, lead: null },
  { name: "no forecast", peaks: {}, rises: 0, hits: 0, falseAlarms: 0, lead: null },
])("$name", ({ peaks, rises, hits, falseAlarms, lead }) => {
  expect(judge(peaks)).toMatchObject({ rises, hits, misses: rises - hits, falseAlarms, medianLeadMinutes: lead });
});

test("forecasts of the calibrating part don't count, nor those without a rate before them", () => {
  expect(judge({ 30: 18, 35: 18 }, { judgedFrom: 1 })).toMatchObject({ hits: 1, medianLeadMinutes: 5 });
  const unknown = qps.map((rate, minute) => (minute >= 20 && minute < 30 ? null : rate));
  expect(judge({ 30: 18 }, { rates: unknown }).rises).toBe(0);
});
