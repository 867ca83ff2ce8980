import { expect, test } from "bun:test";
import { EventQueue } from "#tools/reports/routes/event-queue.ts";

test("events run in the order of their time, those of the same time in the order in which they were added", () => {
  const events = new EventQueue();
  const ran: string[] = [];
  const note = (name: string) => () => ran.push(`${name} ${events.nowMs()}`);
  for (const delayMs of [5, 3, 9, 3, 1, 7, 0]) events.after(delayMs, note(`after ${delayMs}`));
  events.after(3, () => {
    note("third at 3")();
    events.after(1, note("within"));
    events.after(-5, note("at once"));
  });
  events.run();
  expect(ran).toEqual([
    "after 0 0",
    "after 1 1",
    "after 3 3",
    "after 3 3",
    "third at 3 3",
    "at once 3",
    "within 4",
    "after 5 5",
    "after 7 7",
    "after 9 9",
  ]);
});
