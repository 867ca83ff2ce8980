import type { ReplicaPolicy, ScalingRules } from "./replica-inputs.ts";

const defaultUp: Required<ScalingRules> = {
  stabilizationWindowS: 0,
  selectPolicy: "max",
  policies: [
    { type: "count", value: 4, periodS: 15 },
    { type: "percent", value: 100, periodS: 15 },
  ],
};

const defaultDown: Required<ScalingRules> = {
  stabilizationWindowS: 300,
  selectPolicy: "max",
  policies: [{ type: "percent", value: 100, periodS: 15 }],
};

/** The rules for both directions; what a policy leaves out is HPA's default, key by key. */
export function completeRules({ behavior }: Pick<ReplicaPolicy, "behavior">): {
  up: Required<ScalingRules>;
  down: Required<ScalingRules>;
} {
  return { up: { ...defaultUp, ...behavior?.scaleUp }, down: { ...defaultDown, ...behavior?.scaleDown } };
}
