import { expect, test } from "bun:test";
import { forecastRoutes } from "#forecast/forecast-routes.ts";
import type { ForecastReport } from "#protocol/messages.ts";

const forecast: ForecastReport = {
  madeAtMs: 60_000,
  model: "blend",
  reason: "ridge+ 60 %, lstm 40 %",
  stepMs: 60_000,
  qps: [1, 2],
  qps90: [2, 3],
  qps95: [3, 4],
  peakQps: { q50: 2, q90: 3, q95: 4 },
  shares: { "ridge+": 0.6, lstm: 0.4 },
};
const describe = () => ({ model: "lstm", backend: "wasm" as const, reason: "loaded" });

test.each<{ name: string; latest: ForecastReport | null }>([
  { name: "with all its quantiles", latest: forecast },
  { name: "without any", latest: { madeAtMs: 0, model: "zero", reason: "", stepMs: 60_000, qps: [0] } },
  { name: "before there is one", latest: null },
])("GET /api/v1/forecast: $name", async ({ latest }) => {
  const response = await forecastRoutes(() => latest, describe).handle(new Request("http://localhost/api/v1/forecast"));
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ forecast: latest, forecaster: describe() });
});
