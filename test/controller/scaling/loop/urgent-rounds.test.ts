import { expect, test } from "bun:test";
import { UrgentRounds } from "#controller/scaling/loop/urgent-rounds.ts";
import { createSteppedClock } from "../../../fakes/stepped-clock.ts";

test("the first round starts at once, the others two seconds apart, however often they are asked for", async () => {
  const clock = createSteppedClock();
  const startedMs: number[] = [];
  const rounds = new UrgentRounds(clock, async () => void startedMs.push(clock.nowMs()));
  await rounds.ask();
  await Promise.all(Array.from({ length: 9 }, () => rounds.ask()));
  await rounds.ask();
  expect(startedMs).toEqual([0, 2000, 4000]);
  await clock.sleep(500);
  await rounds.ask();
  await clock.sleep(2000);
  await rounds.ask();
  expect(startedMs).toEqual([0, 2000, 4000, 6000, 8000]);
});

test("on a clock that runs fast a quarter of a real second lies between them", async () => {
  const clock = createSteppedClock(0, 60);
  const startedMs: number[] = [];
  const rounds = new UrgentRounds(clock, async () => void startedMs.push(clock.nowMs()));
  await rounds.ask();
  await rounds.ask();
  expect(startedMs).toEqual([0, 15_000]);
});

test("one that is asked for during a round follows it", async () => {
  const clock = createSteppedClock();
  let started = 0;
  const rounds: UrgentRounds = new UrgentRounds(clock, async () => {
    started += 1;
    if (started === 1) await rounds.ask();
  });
  await rounds.ask();
  expect(started).toBe(2);
});

test("stopped, none starts", async () => {
  const clock = createSteppedClock();
  const startedMs: number[] = [];
  const rounds = new UrgentRounds(clock, async () => void startedMs.push(clock.nowMs()));
  await rounds.ask();
  const waiting = rounds.ask();
  rounds.stop();
  await waiting;
  await rounds.ask();
  expect(startedMs).toEqual([0]);
});
