import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { QuantileForecast } from "./prediction/prediction-rules.ts";
import { triggerObservation } from "./triggers/trigger-input.ts";

/** Input of a policy's decision: the state of the fleet, the triggers and the forecast. */
export const ScalingObservation = strictObject({
  nowMs: Type.Number({ minimum: 0, maximum: 8e15, description: "ms since the epoch" }),
  ...triggerObservation,
  liveQps: orNull(Type.Number(), "null: not known"),
  measuredReplicaQps: Type.Optional(
    orNull(Type.Number({ exclusiveMinimum: 0 }), "texts a second that agents measured, in the mean; null: none has"),
  ),
  forecast: Type.Union([QuantileForecast, Type.Null()], { default: null }),
  missingData: Type.Array(Type.String(), {
    default: [],
    description: "agents that serve and have reported nothing new",
  }),
  warmUpLeftS: Type.Number({
    default: 0,
    description: "time left in which the controller only listens to the fleet",
  }),
  frozen: orNull(Type.String(), "why an operator wants nothing to change; null: it is not frozen"),
});
export type ScalingObservation = Static<typeof ScalingObservation>;
