import { type Static, Type } from "@sinclair/typebox";
import { QuantileForecast } from "./prediction/prediction-rules.ts";
import { triggerObservation } from "./triggers/trigger-input.ts";

const strict = { additionalProperties: false } as const;
const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { default: null, description });

/** What a policy is decided on: one look at the fleet, at the triggers and at the forecast. */
export const ScalingObservation = Type.Object(
  {
    nowMs: Type.Number({ minimum: 0, maximum: 8e15, description: "ms since the epoch" }),
    ...triggerObservation,
    liveQps: Type.Union([Type.Number(), Type.Null()], { default: null, description: "null: nobody has said" }),
    forecast: Type.Union([QuantileForecast, Type.Null()], { default: null }),
    missingData: Type.Array(Type.String(), { default: [], description: "agents that serve and have said nothing new" }),
    warmUpLeftS: Type.Number({ default: 0, description: "until then the fleet is only listened to" }),
    frozen: textOrNull("why an operator wants nothing to change; null: it is not frozen"),
  },
  strict,
);
export type ScalingObservation = Static<typeof ScalingObservation>;
