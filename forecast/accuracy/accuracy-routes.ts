import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { dayMs } from "#platform/time.ts";
import { ForecastAccuracy } from "#protocol/messages.ts";
import { type AccuracyWindow, accuracyWindows } from "./accuracy-metrics.ts";

const WrongWindow = Type.Object(
  { error: Type.String(), code: Type.String() },
  {
    description: "unknown window",
    example: { error: 'window: expected one of "24h", "7d", "30d", got "1y"', code: "INVALID_REQUEST" },
  },
);

const exampleAccuracy: ForecastAccuracy = {
  windowMs: dayMs,
  forecasts: 1_410,
  wapePercent: 21.4,
  biasPercent: -1.2,
  peakWapePercent: 17.9,
  coverage95: 0.94,
  rises: 7,
  hits: 6,
  misses: 1,
  falseAlarms: 2,
  hitRate: 0.857,
  missRate: 0.143,
  falseAlarmRate: 0.25,
  medianLeadMinutes: 9,
  served: { lstm: 1_410 },
};

/** Serves `GET /api/v1/forecast/accuracy`: the accuracy of the forecasts of this agent's traffic, or of the fleet's. */
export function accuracyRoutes(tag: "agent" | "fleet", figures: (window: AccuracyWindow) => ForecastAccuracy) {
  const windows = Object.keys(accuracyWindows) as AccuracyWindow[];
  return new Elysia().get(
    "/api/v1/forecast/accuracy",
    ({ query }) => figures((query["window"] as AccuracyWindow | undefined) ?? "24h"),
    {
      query: Type.Object({
        window: Type.Optional(
          Type.Union(
            windows.map((window) => Type.Literal(window)),
            { description: "24h by default" },
          ),
        ),
      }),
      response: { 200: { ...ForecastAccuracy, example: exampleAccuracy }, 400: WrongWindow },
      detail: {
        summary: "Accuracy of the forecasts",
        description:
          "Each forecast is compared with the actual traffic once its 15 minutes are over: its error, whether its upper bound held, and for rises that called for more capacity whether and how early they were forecast.",
        tags: [tag],
      },
    },
  );
}
