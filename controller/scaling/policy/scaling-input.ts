import { type Static, Type } from "@sinclair/typebox";
import { checkMeaning } from "./parse-scaling-policy.ts";
import { ScalingObservation } from "./scaling-observation.ts";
import { ScalingPolicy } from "./scaling-policy.ts";

/** What `decideScaling` reads from a file. */
export const ScalingInput = Type.Object(
  { policy: ScalingPolicy, ...ScalingObservation.properties },
  { additionalProperties: false },
);
export type ScalingInput = Static<typeof ScalingInput>;

/** What the schema can't say; each line begins with the path. */
export function checkScalingInput({ policy, readings }: ScalingInput): string[] {
  const lines = checkMeaning(policy).map((line) => `policy.${line}`);
  const names = policy.triggers.map(({ name }) => name);
  for (const [index, { trigger }] of readings.entries()) {
    if (names.includes(trigger)) continue;
    lines.push(
      `readings.${index}.trigger: expected one of ${names.join(", ") || "no trigger at all"}, got "${trigger}"`,
    );
  }
  return lines;
}
