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
    orNull(Type.Number({ exclusiveMinimum: 0 }), "mean texts per second measured by agents; null: none"),
  ),
  forecast: Type.Union([QuantileForecast, Type.Null()], { default: null }),
  missingData: Type.Array(Type.String(), {
    default: [],
    description: "serving agents that have reported nothing new",
  }),
  warmUpLeftS: Type.Number({
    default: 0,
    description: "time left in which the controller only observes the fleet",
  }),
  frozen: orNull(Type.String(), "reason for an operator's freeze; null: not frozen"),
});
export type ScalingObservation = Static<typeof ScalingObservation>;
