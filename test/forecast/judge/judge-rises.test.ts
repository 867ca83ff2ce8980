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

test("a step of five minutes is a rise by itself, one of a minute is not", () => {
  const spike = Array.from({ length: 60 }, (_, step) => (step === 40 ? 14 : 10));
  const path = new Array<number>(3).fill(10);
  const replay: Replay = {
    origins: [38],
    judgedFrom: 0,
    actual: [spike.slice(38, 41)],
    forecasts: new Map(),
    served: [{ shares: {}, path: [path, path, path], peak: [19, 20, 21], networkPeak: null }],
  };
  const judgeAt = (stepMs: number) => judgeRises(replay, { startMs: 0, qps: spike, calendar }, stepMs);
  expect(judgeAt(5 * minuteMs)).toMatchObject({ hits: 1, falseAlarms: 0, medianLeadMinutes: 10 });
  const longer = { ...replay, actual: [spike.slice(38, 42)] };
  const longPath = new Array<number>(4).fill(10);
  const served = [{ shares: {}, path: [longPath, longPath, longPath], peak: [19, 20, 21] as const, networkPeak: null }];
  expect(judgeRises({ ...longer, served }, { startMs: 0, qps: spike, calendar }, minuteMs)).toMatchObject({
    ...{ rises: 0, falseAlarms: 1 },
  });
});
