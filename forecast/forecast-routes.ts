import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ForecastReport } from "#protocol/messages.ts";
import type { ForecasterDescription } from "./forecaster.ts";

const exampleForecast = {
  forecast: {
    madeAtMs: 1_795_000_020_000,
    model: "lstm",
    reason: "the LSTM was the best of late",
    stepMs: 60_000,
    qps: [41.2, 42.8, 44.1],
    peakQps: { q50: 46.3, q90: 58.9, q95: 63.5 },
    shares: { lstm: 0.7, "moving-average": 0.3 },
  },
  forecaster: { model: "lstm", backend: "wasm", reason: "no native TensorFlow is there" },
};

/** `GET /api/v1/forecast`: what is expected of the next 15 minutes, by whom, and why by them. */
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
      summary: "What this agent expects of the next 15 minutes",
      description:
        "The median path in texts a second, what each step exceeds once in ten and in twenty times, quantiles of the highest step, the models' shares and the errors they rest on; null before the first whole minute.",
      tags: ["agent"],
    },
  });
}
