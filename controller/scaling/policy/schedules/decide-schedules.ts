import { windowAt } from "./cron-window.ts";
import type { Schedule } from "./schedule.ts";

export interface OpenSchedule {
  readonly name: string;
  readonly priority: number;
  readonly floor: number | null;
  readonly ceiling: number | null;
  /** End of its window; null when it never closes. */
  readonly untilMs: number | null;
}

export interface ScheduleDecision {
  /** Minimum of replicas; null: no schedule sets one. */
  readonly floor: number | null;
  /** Maximum of replicas, never below `floor`; null: no schedule sets one. */
  readonly ceiling: number | null;
  /** Schedules whose windows are open, highest priority first. */
  readonly open: readonly OpenSchedule[];
  /** Floors that override a lower ceiling of the same priority. */
  readonly contradictions: readonly number[];
  /** Time at which a window next opens or closes; null when none ever does. */
  readonly nextChangeMs: number | null;
}

interface Bounds {
  readonly floor: number;
  readonly ceiling: number;
}

const clamp = (value: number, { floor, ceiling }: Bounds) => Math.min(Math.max(value, floor), ceiling);

/**
 * Decides how many replicas the schedules allow at `nowMs`. Windows of the same priority hold together: the highest floor, the lowest
 * ceiling, and where these contradict each other the floor, since too few replicas cost requests and too many cost money. Windows of a lower
 * priority count within what the higher ones leave.
 */
export function decideSchedules(schedules: readonly Schedule[], nowMs: number): ScheduleDecision {
  const changes: number[] = [];
  const open: OpenSchedule[] = [];
  const contradictions: number[] = [];
  for (const schedule of schedules.toSorted((a, b) => b.priority - a.priority)) {
    const { name, priority, timeZone, exact } = schedule;
    const state = windowAt(schedule.start, schedule.end, timeZone, nowMs);
    if (state.nextChangeMs !== null) changes.push(state.nextChangeMs);
    if (!state.open) continue;
    const bounds = { floor: exact ?? schedule.floor ?? null, ceiling: exact ?? schedule.ceiling ?? null };
    open.push({ name, priority, ...bounds, untilMs: state.nextChangeMs });
  }

  let bounds: Bounds = { floor: 0, ceiling: Number.POSITIVE_INFINITY };
  let floorGiven = false;
  for (const priority of new Set(open.map((schedule) => schedule.priority))) {
    const level = open.filter((schedule) => schedule.priority === priority);
    const floors = level.flatMap(({ floor }) => floor ?? []);
    const floor = Math.max(0, ...floors);
    const ceiling = Math.max(floor, Math.min(...level.map((schedule) => schedule.ceiling ?? Number.POSITIVE_INFINITY)));
    if (level.some((schedule) => schedule.ceiling !== null && schedule.ceiling < floor)) {
      contradictions.push(floor);
    }
    bounds = { floor: clamp(floor, bounds), ceiling: clamp(ceiling, bounds) };
    floorGiven ||= floors.length > 0;
  }
  return {
    floor: floorGiven ? bounds.floor : null,
    ceiling: Number.isFinite(bounds.ceiling) ? bounds.ceiling : null,
    open,
    contradictions,
    nextChangeMs: changes.length === 0 ? null : Math.min(...changes),
  };
}
