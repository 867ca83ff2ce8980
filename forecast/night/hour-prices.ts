import { Type } from "@sinclair/typebox";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { orNull } from "#platform/schema-parts.ts";

const price = (description: string) => Type.Number({ minimum: 0, description });

/** Prices of electricity, on average over a training of the configured length, by its start. */
export const HourPrices = Type.Object(
  {
    nowUsdPerKwh: price("price of a training that starts now"),
    later: orNull(
      Type.Object(
        {
          startMs: Type.Number({ description: "start of the hour" }),
          usdPerKwh: price("price of a training that starts then"),
        },
        { additionalProperties: false },
      ),
      "cheapest later hour of the window that leaves time for a whole training; null: none",
    ),
  },
  { additionalProperties: false },
);
export type HourPrices = ReadonlyStatic<typeof HourPrices>;
