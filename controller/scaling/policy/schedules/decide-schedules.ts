import { describeLocalTime, windowAt } from "./cron-window.ts";
import type { Schedule } from "./schedule.ts";

export interface OpenSchedule {
  readonly name: string;
  readonly priority: number;
  readonly floor: number | null;
  readonly ceiling: number | null;
  /** When its window closes; null when it never does. */
  readonly untilMs: number | null;
}

export interface ScheduleDecision {
  /** At least so many replicas; null: no schedule says so. */
  readonly floor: number | null;
  /** At most so many, never below `floor`. */
  readonly ceiling: number | null;
  /** The schedules whose windows are open, the most important first. */
  readonly open: readonly OpenSchedule[];
  /** When a window next opens or closes; null when none ever does. */
  readonly nextChangeMs: number | null;
  readonly reason: string;
}

interface Bounds {
  readonly floor: number;
  readonly ceiling: number;
}

const clamp = (value: number, { floor, ceiling }: Bounds) => Math.min(Math.max(value, floor), ceiling);

function describeBounds({ floor, ceiling }: Pick<OpenSchedule, "floor" | "ceiling">): string {
  if (floor !== null && floor === ceiling) return `exactly ${floor}`;
  const texts = [floor === null ? "" : `at least ${floor}`, ceiling === null ? "" : `at most ${ceiling}`];
  return texts.filter((text) => text !== "").join(" and ");
}

/**
 * How many replicas the schedules allow at `nowMs`. Windows of the same priority hold together: the highest floor, the lowest ceiling, and
 * where these contradict each other the floor, since too few replicas cost requests and too many cost money. Windows of a lower priority
 * count within what the higher ones leave.
 */
export function decideSchedules(schedules: readonly Schedule[], nowMs: number): ScheduleDecision {
  const changes: number[] = [];
  const open: OpenSchedule[] = [];
  const texts: string[] = [];
  for (const schedule of schedules.toSorted((a, b) => b.priority - a.priority)) {
    const { name, priority, timeZone, exact } = schedule;
    const state = windowAt(schedule.start, schedule.end, timeZone, nowMs);
    if (state.nextChangeMs !== null) changes.push(state.nextChangeMs);
    if (!state.open) continue;
    const bounds = { floor: exact ?? schedule.floor ?? null, ceiling: exact ?? schedule.ceiling ?? null };
    open.push({ name, priority, ...bounds, untilMs: state.nextChangeMs });
    const until = state.nextChangeMs === null ? "" : ` until ${describeLocalTime(state.nextChangeMs, timeZone)}`;
    texts.push(`${name} wants ${describeBounds(bounds)}${until}`);
  }

  let bounds: Bounds = { floor: 0, ceiling: Number.POSITIVE_INFINITY };
  let floorGiven = false;
  for (const priority of new Set(open.map((schedule) => schedule.priority))) {
    const level = open.filter((schedule) => schedule.priority === priority);
    const floors = level.flatMap(({ floor }) => floor ?? []);
    const floor = Math.max(0, ...floors);
    const ceiling = Math.max(floor, Math.min(...level.map((schedule) => schedule.ceiling ?? Number.POSITIVE_INFINITY)));
    if (level.some((schedule) => schedule.ceiling !== null && schedule.ceiling < floor)) {
      texts.push(`the floor of ${floor} comes before a lower ceiling of the same priority`);
    }
    bounds = { floor: clamp(floor, bounds), ceiling: clamp(ceiling, bounds) };
    floorGiven ||= floors.length > 0;
  }
  const result = {
    floor: floorGiven ? bounds.floor : null,
    ceiling: Number.isFinite(bounds.ceiling) ? bounds.ceiling : null,
  };
  const differs =
    open.length > 1 && open.some(({ floor, ceiling }) => floor !== result.floor || ceiling !== result.ceiling);
  const together = differs ? `; together ${describeBounds(result)}` : "";
  return {
    ...result,
    open,
    nextChangeMs: changes.length === 0 ? null : Math.min(...changes),
    reason: open.length === 0 ? "no schedule's window is open" : `${texts.join("; ")}${together}`,
  };
}
