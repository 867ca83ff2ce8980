import { readZone } from "#controller/cost/window/local-time.ts";
import type { Schedule } from "#controller/scaling/policy/schedules/schedule.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { RecordedMinute } from "./preview-past.ts";

export interface SuggestTerms {
  /** Zone of the schedules. */
  readonly timeZone: string;
  /** Rate that one agent carries, and the share of it that may be used. */
  readonly capacityPerReplicaQps: number;
  readonly targetUtilization: number;
  readonly maxReplicas: number;
}

export interface SuggestedSchedules {
  /** Agents that are enough in the quietest hours. */
  readonly minReplicas: number;
  readonly schedules: readonly Schedule[];
}

/** Share of an hour's minutes, over all its days, whose rate the floor carries. */
const quantile = 0.995;
/** Days of a class (working days, weekend) from which on it has schedules of its own. */
const minClassDays = 2;

interface DayClass {
  readonly name: string;
  /** Days of the week for cron, and those after them. */
  readonly days: string;
  readonly next: string;
  readonly has: (weekday: number) => boolean;
}

const workdays: DayClass = { name: "work", days: "MON-FRI", next: "TUE-SAT", has: (day) => day >= 1 && day <= 5 };
const weekend: DayClass = { name: "weekend", days: "SAT,SUN", next: "SUN,MON", has: (day) => day === 0 || day === 6 };
const everyDay: DayClass = { name: "day", days: "*", next: "*", has: () => true };

/** Agents that a rate needs. */
export function neededFor(
  qps: number,
  { capacityPerReplicaQps, targetUtilization, maxReplicas }: SuggestTerms,
): number {
  return Math.min(maxReplicas, Math.max(1, Math.ceil(qps / (capacityPerReplicaQps * targetUtilization) - 1e-9)));
}

function highOf(rates: readonly number[]): number {
  const sorted = rates.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(quantile * sorted.length) - 1)] ?? 0;
}

/** Stretches of hours of one need above the minimum, none beyond midnight or a whole day long: a window must close before it opens again. */
function stretchesOf(
  needs: readonly number[],
  min: number,
): { readonly from: number; readonly to: number; readonly need: number }[] {
  const found: { from: number; to: number; need: number }[] = [];
  for (const [hour, need] of needs.entries()) {
    const last = found.at(-1);
    if (last !== undefined && last.to === hour && last.need === need && hour !== 12) last.to = hour + 1;
    else if (need > min) found.push({ from: hour, to: hour + 1, need });
  }
  return found;
}

/**
 * Suggests schedules from a record: for each hour of working days and of the weekend (of all days, where a class is too short) a floor that
 * carries all but one of its minutes in two hundred; hours alike are one window. The present rate still adds agents beyond a floor.
 */
export function suggestSchedules(recorded: readonly RecordedMinute[], terms: SuggestTerms): SuggestedSchedules {
  const offsetAt = readZone(terms.timeZone) ?? (() => 0);
  const local = recorded.map(({ minuteStartMs, qps }) => {
    const atMs = minuteStartMs + offsetAt(minuteStartMs);
    const day = Math.floor(atMs / dayMs);
    // Day 0 was a Thursday.
    return { day, weekday: (((day + 4) % 7) + 7) % 7, hour: Math.floor((atMs - day * dayMs) / hourMs), qps };
  });
  const daysOf = ({ has }: DayClass) => new Set(local.filter(({ weekday }) => has(weekday)).map(({ day }) => day)).size;
  const isSplit = [workdays, weekend].every((each) => daysOf(each) >= minClassDays);
  const classes = isSplit ? [workdays, weekend] : [everyDay];
  const needs = classes.map(({ has }) =>
    Array.from({ length: 24 }, (_, hour) =>
      neededFor(highOf(local.flatMap((each) => (each.hour === hour && has(each.weekday) ? [each.qps] : []))), terms),
    ),
  );
  const minReplicas = Math.min(...needs.flat());
  const schedules = classes.flatMap(({ name, days, next }, index) =>
    stretchesOf(needs[index] as number[], minReplicas).map(({ from, to, need }) => ({
      ...{ name: `${name}-${String(from).padStart(2, "0")}`, timeZone: terms.timeZone, priority: 0, floor: need },
      start: `0 ${from} * * ${days}`,
      end: to === 24 ? `0 0 * * ${next}` : `0 ${to} * * ${days}`,
    })),
  );
  return { minReplicas, schedules };
}

/** Minutes from a time on that a record has, and those before. */
export function splitRecord(recorded: readonly RecordedMinute[], fromMs: number) {
  return {
    before: recorded.filter(({ minuteStartMs }) => minuteStartMs < fromMs),
    from: recorded.filter(({ minuteStartMs }) => minuteStartMs >= fromMs),
  };
}

/** Days that a record reaches over. */
export function daysOfRecord(recorded: readonly RecordedMinute[]): number {
  const [first, last] = [recorded[0], recorded.at(-1)];
  if (first === undefined || last === undefined) return 0;
  return (last.minuteStartMs + minuteMs - first.minuteStartMs) / dayMs;
}
