import type { SuggestedPolicy } from "./suggest-policy.ts";

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Writes a suggested policy as a file, with what its replay shows in comments. */
export function suggestionToText(suggestion: SuggestedPolicy, usdPerHour: number | null): string {
  const { policy, days, replayedDays, minutes, replays, savedHoursAWeek, savedShare } = suggestion;
  const usd =
    usdPerHour === null
      ? "an agent's energy per hour is not on record"
      : `about ${(savedHoursAWeek * usdPerHour).toFixed(2)} US$ of energy, at ${usdPerHour.toFixed(4)} US$ for an agent's mean hour`;
  const comments = [
    `Suggested from ${days.toFixed(1)} recorded days. The newest ${replayedDays} were replayed with schedules learnt from the preceding days:`,
    ...replays.map(
      ({ name, meanReplicas, shortMinutes }) =>
        `  ${name.padEnd(20)} ${meanReplicas.toFixed(2)} agents on average, too few in ${shortMinutes} of ${minutes} minutes (${percent(shortMinutes / Math.max(1, minutes))})`,
    ),
    `A week saves ${savedHoursAWeek.toFixed(0)} agent-hours (${percent(savedShare)}) compared with always on: ${usd}.`,
    "mode: preview only records decisions; set it to act when the recorded ones are what you want.",
  ];
  const { kind = "ScalingPolicy", name, mode, minReplicas, maxReplicas, capacityPerReplicaQps } = policy;
  const fields = { kind, name, mode, minReplicas, maxReplicas, capacityPerReplicaQps };
  const lines = Object.entries({ ...fields, targetUtilization: policy.targetUtilization });
  const schedules = policy.schedules.map(
    (each) =>
      `  - {name: ${each.name}, timeZone: ${each.timeZone}, start: "${each.start}", end: "${each.end}", floor: ${each.floor}}`,
  );
  return [
    ...comments.map((line) => `# ${line}`),
    ...lines.map(([field, value]) => `${field}: ${value}`),
    ...(schedules.length === 0 ? ["schedules: []"] : ["schedules:", ...schedules]),
  ].join("\n");
}
