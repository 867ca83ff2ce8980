import { localTimeToText } from "./cron-window.ts";
import type { OpenSchedule, ScheduleDecision } from "./decide-schedules.ts";
import type { Schedule } from "./schedule.ts";

function boundsToText({ floor, ceiling }: Pick<OpenSchedule, "floor" | "ceiling">): string {
  if (floor !== null && floor === ceiling) return `exactly ${floor}`;
  const texts = [floor === null ? "" : `at least ${floor}`, ceiling === null ? "" : `at most ${ceiling}`];
  return texts.filter((text) => text !== "").join(" and ");
}

/** Explains in a sentence which schedules are open, what they allow and until when. */
export function explainSchedules(decision: ScheduleDecision, schedules: readonly Schedule[]): string {
  const { open, contradictions } = decision;
  if (open.length === 0) return "no schedule's window is open";
  const zoneOf = new Map(schedules.map(({ name, timeZone }) => [name, timeZone]));
  const texts = open.map((schedule) => {
    const { name, untilMs } = schedule;
    const until = untilMs === null ? "" : ` until ${localTimeToText(untilMs, zoneOf.get(name) ?? "UTC")}`;
    return `${name} wants ${boundsToText(schedule)}${until}`;
  });
  const floors = contradictions.map((floor) => `the floor of ${floor} overrides a lower ceiling of the same priority`);
  const differs =
    open.length > 1 && open.some(({ floor, ceiling }) => floor !== decision.floor || ceiling !== decision.ceiling);
  const together = differs ? `; together ${boundsToText(decision)}` : "";
  return `${[...texts, ...floors].join("; ")}${together}`;
}
