import { type Static, Type } from "@sinclair/typebox";
import { integer } from "#platform/config-fields.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { cronFault, timeZoneFault } from "./cron-window.ts";

const count = { minimum: 0, maximum: 1_000_000 } as const;

/** A recurring window of local time, and how many replicas there may be within it. */
export const Schedule = strictObject({
  name: Type.String({ minLength: 1, maxLength: 64 }),
  timeZone: Type.String({ minLength: 1, description: "time zone of the IANA database, e.g. Europe/Berlin" }),
  start: Type.String({ minLength: 1, description: "cron with five fields at which the window opens" }),
  end: Type.String({ minLength: 1, description: "cron with five fields at which it closes" }),
  floor: Type.Optional(Type.Integer({ ...count, description: "minimum of replicas" })),
  ceiling: Type.Optional(Type.Integer({ ...count, description: "maximum of replicas" })),
  exact: Type.Optional(Type.Integer({ ...count, description: "number of replicas, whatever the demand" })),
  priority: integer(
    0,
    [-1000, 1000],
    "where windows overlap, those of lower priority apply within the limits of the higher ones",
  ),
});
export type Schedule = Static<typeof Schedule>;

/** Checks what the schema can't say: zones that exist, crons that come, bounds that make sense. One line each, beginning with the field. */
function checkSchedule({ timeZone, start, end, floor, ceiling, exact }: Schedule): string[] {
  const lines: string[] = [];
  const zoneFault = timeZoneFault(timeZone);
  if (zoneFault !== null) lines.push(`timeZone: ${zoneFault}`);
  for (const [field, pattern] of Object.entries({ start, end })) {
    const fault = cronFault(pattern, zoneFault === null ? timeZone : "UTC");
    if (fault !== null) lines.push(`${field}: ${fault}`);
  }
  if (floor === undefined && ceiling === undefined && exact === undefined) {
    lines.push("floor: expected floor, ceiling or exact, got none of them");
  }
  if (exact !== undefined && (floor !== undefined || ceiling !== undefined)) {
    lines.push("exact: expected it alone, got floor or ceiling as well");
  }
  if (floor !== undefined && ceiling !== undefined && floor > ceiling) {
    lines.push(`floor: expected at most ceiling (${ceiling}), got ${floor}`);
  }
  return lines;
}

/** Checks all schedules, names used twice included; each line begins with the place in the list. Null: one that can't be read. */
export function checkSchedules(schedules: readonly (Schedule | null)[]): string[] {
  const names = new Set<string>();
  return schedules.flatMap((schedule, index) => {
    if (schedule === null) return [];
    const lines = checkSchedule(schedule).map((line) => `${index}.${line}`);
    if (names.has(schedule.name)) lines.push(`${index}.name: expected a name used once, got "${schedule.name}" again`);
    names.add(schedule.name);
    return lines;
  });
}

export const ScheduleInput = strictObject({
  schedules: Type.Array(Schedule, { maxItems: 1000 }),
  nowMs: Type.Number({ minimum: 0, maximum: 8e15, description: "ms since the epoch" }),
});
export type ScheduleInput = Static<typeof ScheduleInput>;

/** Checks what the schema can't say. One line per mistake, path first. */
export function checkScheduleInput({ schedules }: ScheduleInput): string[] {
  return checkSchedules(schedules).map((line) => `schedules.${line}`);
}
