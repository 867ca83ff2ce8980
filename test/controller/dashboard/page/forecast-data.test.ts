import { expect, test } from "bun:test";
import {
  coverageText,
  fanOf,
  measures,
  type Overview,
  peaksOf,
  windowOf,
} from "#controller/dashboard/page/forecast/forecast-data.ts";
import { quantityText } from "#platform/page/format.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";

const minuteMs = 60_000;
const at = (minute: number) => minute * minuteMs;
const minutes = (of: readonly (readonly [minute: number, qps: number])[]) =>
  of.map(([minute, qps]) => ({ minuteStartMs: at(minute), qps }));
const forecast: ForecastReport = {
  ...{ madeAtMs: at(12) + 300, model: "m", reason: "", stepMs: minuteMs },
  ...{ qps: [20, 30], qps90: [22, 33], qps95: [25, 36] },
};

test("the fan begins where the record ends, and a hole in the record stays one", () => {
  const { times, series, bands } = fanOf(
    forecast,
    minutes([
      [8, 5],
      [9, 6],
      [11, 7],
      [12, 1],
    ]),
  );
  expect(times).toEqual([8, 9, 10, 11, 12, 13].map(at));
  expect(series.map(({ values }) => values)).toEqual([
    [5, 6, null, 7, null, null],
    [null, null, null, 7, 20, 30],
    [null, null, null, 7, 22, 33],
    [null, null, null, 7, 25, 36],
  ]);
  expect(bands?.map(({ upper, lower }) => [upper, lower])).toEqual([
    [2, 1],
    [3, 2],
  ]);
});

test("without a forecast the record is shown whole; without quantiles or a record there is no band", () => {
  expect(fanOf(null, minutes([[8, 5]])).series.map(({ values }) => values)).toEqual([[5], [null], [null], [null]]);
  const { qps90: _, qps95: __, ...median } = forecast;
  expect(fanOf(median, []).series.map(({ values }) => values)).toEqual([
    [null, null],
    [20, 30],
    [null, null],
    [null, null],
  ]);
});

const peak = (minute: number, change: Partial<Overview["peaks"][number]> = {}): Overview["peaks"][number] => ({
  ...{
    startMs: at(minute),
    forecasts: 1,
    forecastQps: 10,
    upperQps: 12,
    actualQps: 11,
    judged: 1,
    above: 0,
    model: "m",
  },
  ...change,
});

test("past peaks stand beside those that came, with holes where there was no forecast", () => {
  const { times, series } = peaksOf([peak(1), peak(2, { upperQps: null }), peak(5)]);
  expect(times).toEqual([1, 2, 3, 5].map(at));
  expect(series.map(({ values }) => values)).toEqual([
    [11, 11, null, 11],
    [10, 10, null, 10],
    [12, null, null, 12],
  ]);
  expect(peaksOf([]).times).toEqual([]);
});

test.each<[readonly Overview["peaks"][number][], string]>([
  [[], "no peak is judged by a 0.95 quantile yet"],
  [[peak(1, { judged: 0 })], "no peak is judged by a 0.95 quantile yet"],
  [
    [peak(1, { judged: 30, above: 2 }), peak(2, { judged: 10, above: 0 })],
    "95 % of 40 peaks were within their 0.95 quantile",
  ],
])("%j: %s", (peaks, text) => expect(coverageText(peaks)).toBe(text));

test("measures without data are not known, never 0", () => {
  const nothing: ForecastAccuracy = {
    ...{ windowMs: 1, forecasts: 0, wapePercent: null, biasPercent: null, peakWapePercent: null, coverage95: null },
    ...{ rises: 0, hits: 0, misses: 0, falseAlarms: 0, hitRate: null, missRate: null, falseAlarmRate: null },
    ...{ medianLeadMinutes: null, served: {} },
  };
  expect(measures.map(({ of }) => quantityText(of(nothing)))).toEqual([
    ...["0", "– %", "– %", "– %", "– %", "0 of 0", "0", "– min"],
  ]);
  expect(measures.map(({ of }) => of({ ...nothing, biasPercent: -1.25 }).value)[2]).toBe("−1.25");
});

test.each([
  [null, "24h"],
  ["7d", "7d"],
  ["1y", "24h"],
])("the window %p is %s", (text, window) => expect<string>(windowOf(text)).toBe(window));
