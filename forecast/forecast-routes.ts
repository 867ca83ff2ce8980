import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { minuteMs } from "#platform/time.ts";
import { ForecastReport } from "#protocol/messages.ts";
import type { ForecasterDescription } from "./forecaster.ts";

const exampleForecast = {
  forecast: {
    madeAtMs: 1_795_000_020_000,
    model: "lstm",
    reason: "WAPE over 412 forecasts, newer ones weighing more: lstm 21.0 %",
    stepMs: minuteMs,
    qps: [41.2, 42.8, 44.1],
    peakQps: { q50: 46.3, q90: 58.9, q95: 63.5 },
    shares: { lstm: 0.7, "moving-average": 0.3 },
  },
  forecaster: { model: "lstm", backend: "wasm", reason: "tfjs-node is not installed" },
};

/** Serves `GET /api/v1/forecast`: the forecast of the next 15 minutes, and the model that made it. */
export function forecastRoutes(latest: () => ForecastReport | null, describe: () => ForecasterDescription) {
  return new Elysia().get("/api/v1/forecast", () => ({ forecast: latest(), forecaster: describe() }), {
    response: Type.Object(
      {
        forecast: Type.Union([ForecastReport, Type.Null()]),
        forecaster: Type.Object({ model: Type.String(), backend: Type.String(), reason: Type.String() }),
      },
      { example: exampleForecast },
    ),
    detail: {
      summary: "Forecast of the next 15 minutes",
      description:
        "The median path in texts per second, the rates that each step exceeds with probability 0.1 and 0.05, quantiles of the highest step, the models' shares and the errors behind them; null before the first whole minute.",
      tags: ["agent"],
    },
  });
}
