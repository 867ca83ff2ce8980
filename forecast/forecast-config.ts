import { type Static, Type } from "@sinclair/typebox";

/** Settings of a forecast of the coming traffic. */
export const ForecastConfig = Type.Object(
  {
    modelDir: Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()], {
      default: null,
      description: "directory that `thormesh forecast train` wrote; null: the weights inside the executable",
    }),
    timeoutMs: Type.Integer({
      default: 2_000,
      minimum: 1,
      maximum: 600_000,
      description: "real milliseconds after which a simple forecast stands in",
    }),
    timeZone: Type.String({
      default: "UTC",
      minLength: 1,
      maxLength: 64,
      description: "time zone of the hours and weekdays that the traffic follows, e.g. Europe/Berlin",
    }),
    holidays: Type.Array(Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$" }), {
      default: [],
      maxItems: 10_000,
      description: "days like 2026-12-25 in that zone",
    }),
  },
  { additionalProperties: false, default: {}, description: "Forecast of the fleet's traffic." },
);
export type ForecastConfig = Static<typeof ForecastConfig>;
