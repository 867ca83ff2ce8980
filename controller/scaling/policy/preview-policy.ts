import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { explainScaling } from "#controller/scaling/policy/explain-scaling.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { parseConfig } from "#platform/files/read-config.ts";

/** Time span in which a policy allows the same. */
interface PreviewedStretch {
  readonly fromMs: number;
  readonly floor: number;
  readonly ceiling: number;
  readonly schedules: readonly string[];
  /** Replicas that a steady rate leads to; null without a rate. */
  readonly replicas: number | null;
  readonly reason: string;
}

const maxStretches = 5000;

/**
 * Previews what a policy allows from `fromMs` to `untilMs`, and how many replicas a steady rate leads to, by schedules, load and limits.
 * Triggers, forecast and an operator's pause are left out: their values are unknown in advance.
 */
export function previewPolicy(
  policy: ScalingPolicy,
  { fromMs, untilMs, qps }: { readonly fromMs: number; readonly untilMs: number; readonly qps: number | null },
): PreviewedStretch[] {
  const { triggers, formula, fallback, idleReplicas, prediction, behavior, pause, ...rest } = policy;
  const steady: ScalingPolicy = { ...rest, triggers: [] };
  // Starts at the maximum, so that rate limits don't slow the way to the final number.
  const seen = parseConfig(
    ScalingObservation,
    { nowMs: fromMs, currentReplicas: policy.maxReplicas, liveQps: qps },
    "the preview",
  );
  const stretches: PreviewedStretch[] = [];
  let atMs: number | null = fromMs;
  while (atMs !== null && atMs < untilMs && stretches.length < maxStretches) {
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
