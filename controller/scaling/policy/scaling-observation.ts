import { type Static, Type } from "@sinclair/typebox";
import { QuantileForecast } from "./prediction/prediction-rules.ts";
import { triggerObservation } from "./triggers/trigger-input.ts";

const strict = { additionalProperties: false } as const;
const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { default: null, description });

/** Input of a policy's decision: the state of the fleet, the triggers and the forecast. */
export const ScalingObservation = Type.Object(
  {
    nowMs: Type.Number({ minimum: 0, maximum: 8e15, description: "ms since the epoch" }),
    ...triggerObservation,
    liveQps: Type.Union([Type.Number(), Type.Null()], { default: null, description: "null: not known" }),
    forecast: Type.Union([QuantileForecast, Type.Null()], { default: null }),
    missingData: Type.Array(Type.String(), {
      default: [],
      description: "agents that serve and have reported nothing new",
    }),
    warmUpLeftS: Type.Number({
      default: 0,
      description: "time left in which the controller only listens to the fleet",
    }),
    frozen: textOrNull("why an operator wants nothing to change; null: it is not frozen"),
  },
  strict,
);
export type ScalingObservation = Static<typeof ScalingObservation>;
