import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { explainScaling } from "#controller/scaling/policy/explain-scaling.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { parseConfig } from "#platform/files/read-config.ts";

/** A stretch of time in which a policy allows the same. */
export interface PreviewedStretch {
  readonly fromMs: number;
  readonly floor: number;
  readonly ceiling: number;
  readonly schedules: readonly string[];
  /** How many replicas a steady rate ends at; null where no rate was given. */
  readonly replicas: number | null;
  readonly reason: string;
}

const mostStretches = 5000;

/**
 * What a policy allows from `fromMs` until `untilMs`, and how many replicas a steady rate would end at: its schedules, load and limits.
 * Triggers, forecast and an operator's pause are left out, since nobody knows what they will say.
 */
export function previewPolicy(
  policy: ScalingPolicy,
  { fromMs, untilMs, qps }: { readonly fromMs: number; readonly untilMs: number; readonly qps: number | null },
): PreviewedStretch[] {
  const { triggers, formula, fallback, idleReplicas, prediction, behavior, pause, ...rest } = policy;
  const steady: ScalingPolicy = { ...rest, triggers: [] };
  // From above, so that no rate limits stand between the policy and where it ends.
  const seen = parseConfig(
    ScalingObservation,
    { nowMs: fromMs, currentReplicas: policy.maxReplicas, liveQps: qps },
    "the preview",
  );
  const stretches: PreviewedStretch[] = [];
  let atMs: number | null = fromMs;
  while (atMs !== null && atMs < untilMs && stretches.length < mostStretches) {
    const seenNow = { ...seen, nowMs: atMs };
    const decision = decideScaling(steady, seenNow);
    const { floor, ceiling, proposals, replicas } = decision;
    const { open } = proposals.schedules;
    const stretch = {
      floor,
      ceiling,
      schedules: open.map(({ name }) => name),
      replicas: qps === null ? null : replicas,
    };
    const last = stretches.at(-1);
    const same =
      last !== undefined &&
      JSON.stringify({ ...last, fromMs: 0, reason: "" }) === JSON.stringify({ fromMs: 0, ...stretch, reason: "" });
    if (!same) stretches.push({ fromMs: atMs, ...stretch, reason: explainScaling(decision, steady, seenNow) });
    atMs = proposals.schedules.nextChangeMs;
  }
  return stretches;
}
