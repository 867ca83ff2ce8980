import { expect, test } from "bun:test";
import { medianPeakQps, pathMaxQps } from "#forecast/median-peak.ts";
import type { ForecastReport } from "#protocol/messages.ts";

const report: ForecastReport = { madeAtMs: 0, model: "blend", reason: "", stepMs: 60_000, qps: [4, 2, 5] };
const withPeak = (q50: number): ForecastReport => ({ ...report, peakQps: { q50, q90: 9, q95: 10 } });

test.each([
  { name: "the path's maximum without quantiles", forecast: report, steps: undefined, expected: 5 },
  { name: "the peak's median", forecast: withPeak(7), steps: undefined, expected: 7 },
  { name: "never less than the path says", forecast: withPeak(3), steps: undefined, expected: 5 },
  { name: "of a part of the path: its own maximum", forecast: withPeak(7), steps: 2, expected: 4 },
  { name: "a horizon beyond the path", forecast: withPeak(7), steps: 30, expected: 7 },
])("$name", ({ forecast, steps, expected }) => {
  expect(medianPeakQps(forecast, steps)).toBe(expected);
});

test("the path's maximum knows nothing of the peak's quantiles", () => {
  expect(pathMaxQps(withPeak(7))).toBe(5);
  expect(pathMaxQps({ qps: [] })).toBe(0);
});
