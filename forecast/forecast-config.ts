import { type Static, Type } from "@sinclair/typebox";
import { integer, orNull, Path } from "#platform/config-fields.ts";

/** Settings of a forecast of the coming traffic. */
export const ForecastConfig = Type.Object(
  {
    modelDir: orNull(Path, "directory that `thormesh forecast train` wrote; null: the weights inside the executable"),
    timeoutMs: integer(2_000, [1, 600_000], "milliseconds of real time after which a simple forecast is used instead"),
    timeZone: Type.String({
      default: "UTC",
      minLength: 1,
      maxLength: 64,
      description: "time zone whose hours and weekdays the traffic follows, e.g. Europe/Berlin",
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
