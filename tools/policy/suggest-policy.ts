import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import type { ScalingPolicy } from "#controller/scaling/policy/scaling-policy.ts";
import { dayMs } from "#platform/time.ts";
import { previewPast, type RecordedMinute } from "./preview-past.ts";
import { daysOfRecord, neededFor, type SuggestTerms, splitRecord, suggestSchedules } from "./suggest-schedules.ts";

/** Replay of one way to run the fleet. */
export interface SuggestReplay {
  readonly name: string;
  readonly meanReplicas: number;
  /** Minutes with fewer agents than their rate needs. */
  readonly shortMinutes: number;
}

export interface SuggestedPolicy {
  readonly policy: ScalingPolicy;
  /** Days of the record that schedules are learnt from, and the newest of them that are replayed with schedules of the days before. */
  readonly days: number;
  readonly replayedDays: number;
  readonly minutes: number;
  readonly replays: readonly SuggestReplay[];
  /** Saving beside as many agents as the record's busiest minute needs, always on: agent-hours of a week, and its share. */
  readonly savedHoursAWeek: number;
  readonly savedShare: number;
}

/** Days at the end of the record on which schedules of the days before are tried, and the shortest record. */
const replayedDays = 2;
export const minDays = 3;

function policyOf(recorded: readonly RecordedMinute[], terms: SuggestTerms, withSchedules = true): ScalingPolicy {
  const { minReplicas, schedules } = suggestSchedules(recorded, terms);
  const { capacityPerReplicaQps, targetUtilization, maxReplicas } = terms;
  const text = {
    ...{ kind: "ScalingPolicy", name: "suggested", mode: "preview", minReplicas, maxReplicas },
    ...{ capacityPerReplicaQps, targetUtilization, schedules: withSchedules ? schedules : [] },
  };
  return parseScalingPolicy(text, "the suggested policy");
}

/**
 * Suggests a policy from recorded traffic, and replays the newest two days by schedules that know only the days before: beside the same policy
 * without schedules, and as many agents as the busiest minute needs, always on. Null for a record that is too short.
 */
export function suggestPolicy(recorded: readonly RecordedMinute[], terms: SuggestTerms): SuggestedPolicy | null {
  const days = daysOfRecord(recorded);
  if (days < minDays) return null;
  const fromMs = (recorded.at(-1) as RecordedMinute).minuteStartMs - replayedDays * dayMs;
  const { before } = splitRecord(recorded, fromMs);
  const learnt = policyOf(before, terms);
  const most = Math.max(...recorded.map(({ qps }) => neededFor(qps, terms)));
  const replay = (policy: ScalingPolicy) => previewPast(policy, recorded, fromMs);
  const suggested = replay(learnt);
  const plain = replay(policyOf(before, terms, false));
  const saved = most - suggested.meanReplicas;
  return {
    policy: policyOf(recorded, terms),
    ...{ days, replayedDays, minutes: suggested.minutes },
    replays: [
      { name: "always on", meanReplicas: most, shortMinutes: 0 },
      { name: "by the present rate", meanReplicas: plain.meanReplicas, shortMinutes: plain.shortMinutes },
      { name: "with schedules", meanReplicas: suggested.meanReplicas, shortMinutes: suggested.shortMinutes },
    ],
    savedHoursAWeek: saved * 7 * 24,
    savedShare: saved / most,
  };
}
