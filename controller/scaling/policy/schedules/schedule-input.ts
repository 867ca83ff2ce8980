import { type Static, Type } from "@sinclair/typebox";
import { checkSchedules, Schedule } from "./schedule.ts";

/** What `decideSchedules` reads from a file. */
export const ScheduleInput = Type.Object(
  {
    schedules: Type.Array(Schedule, { maxItems: 1000 }),
    nowMs: Type.Number({ minimum: 0, maximum: 8e15, description: "ms since the epoch" }),
  },
  { additionalProperties: false },
);
export type ScheduleInput = Static<typeof ScheduleInput>;

/** What the schema can't say of the input. One line a mistake, path first. */
export function checkScheduleInput({ schedules }: ScheduleInput): string[] {
  return checkSchedules(schedules).map((line) => `schedules.${line}`);
}
