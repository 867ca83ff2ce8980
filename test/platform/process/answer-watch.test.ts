import { afterEach, expect, test } from "bun:test";
import { type AnswerWatch, createAnswerWatch, tickFor } from "#platform/process/answer-watch.ts";
import { createHungProcesses, describeHungProcesses } from "#platform/process/hung-processes.ts";
import { isProcessStopped } from "#platform/process/is-process-stopped.ts";

let watch: AnswerWatch | undefined;
afterEach(() => watch?.stop());

/** A clock that tests set, beside real timers. */
function start(isPaused?: () => boolean) {
  let nowMs = 0;
  let ticks = 0;
  const silences: number[] = [];
  const idle: number[] = [];
  const made = createAnswerWatch({
    tickMs: 10,
    nowMs: () => nowMs,
    ...(isPaused === undefined ? {} : { isPaused }),
    onSilent: (waitedMs) => silences.push(waitedMs),
    onIdle: (idleMs) => idle.push(idleMs),
    onTick: () => {
      ticks += 1;
    },
  });
  watch = made;
  const pass = async (ms: number) => {
    nowMs += ms;
    const before = ticks;
    while (ticks === before) await Bun.sleep(1);
  };
  return { watch: made, silences, idle, pass };
}

test("says once that an answer did not come in time", async () => {
  const { watch, silences, pass } = start();
  watch.begin(30);
  await pass(10);
  expect([silences, watch.late()]).toEqual([[], false]);
  await pass(10);
  expect([silences, watch.late()]).toEqual([[], true]);
  await pass(10);
  await pass(10);
  expect(silences).toEqual([30]);
});

test("an answer in time, and the next question has all of its time", async () => {
  const { watch, silences, pass } = start();
  watch.begin(30);
  await pass(20);
  watch.begin(30);
  await pass(20);
  watch.end();
  await pass(20);
  expect([silences, watch.late()]).toEqual([[], false]);
});

test.each([
  { name: "an hour's sleep", ms: 3_600_000 },
  { name: "a clock set back", ms: -3_600_000 },
  { name: "a process that was held up", ms: 25 },
])("$name takes two ticks of an answer's time at most", async ({ ms }) => {
  const { watch, silences, pass } = start();
  watch.begin(50);
  await pass(ms);
  await pass(10);
  expect(silences).toEqual([]);
  await pass(10);
  await pass(10);
  await pass(10);
  await pass(10);
  expect(silences).toHaveLength(1);
});

test("time in which the other process is paused is none of an answer's", async () => {
  let paused = true;
  const { watch, silences, pass } = start(() => paused);
  watch.begin(20);
  for (let tick = 0; tick < 5; tick += 1) await pass(10);
  expect([silences, watch.late()]).toEqual([[], false]);
  paused = false;
  await pass(10);
  await pass(10);
  expect(silences).toEqual([20]);
});

test("tells how long nothing has been waited for, from the last answer on", async () => {
  const { watch, idle, pass } = start();
  await pass(10);
  watch.begin(1000);
  await pass(10);
  watch.end();
  await pass(10);
  expect(idle).toEqual([10, 10]);
});

test.each([
  [0, 20],
  [200, 20],
  [10_000, 1_000],
  [600_000, 1_000],
])("limits of %d ms are looked at every %d ms", (limitMs, tickMs) => {
  expect(tickFor(limitMs)).toBe(tickMs);
});

test("tells a stopped process from one that runs, sleeps or is gone", async () => {
  const child = Bun.spawn(["sleep", "60"]);
  expect(isProcessStopped(child.pid)).toBe(false);
  child.kill("SIGSTOP");
  while (!isProcessStopped(child.pid)) await Bun.sleep(1);
  child.kill("SIGCONT");
  while (isProcessStopped(child.pid)) await Bun.sleep(1);
  child.kill("SIGKILL");
  await child.exited;
  expect(isProcessStopped(child.pid)).toBe(false);
});

test("hangs are counted by kind from 0 on, and degrade health for five minutes", () => {
  let nowMs = 0;
  const hung = createHungProcesses(["model", "forecast"], () => nowMs);
  expect([...hung.counts()]).toEqual([
    ["model", 0],
    ["forecast", 0],
  ]);
  expect(describeHungProcesses(hung)).toEqual({ status: "healthy", detail: "all processes answer" });
  hung.record("model", "gave no answer for 10000 ms: killed");
  nowMs = 12_000;
  expect(describeHungProcesses(hung)).toEqual({
    status: "degraded",
    detail:
      "a model process was replaced 12 s ago: it gave no answer for 10000 ms: killed; replaced since the start: model: 1",
  });
  nowMs = 300_000;
  expect(describeHungProcesses(hung)).toEqual({
    status: "healthy",
    detail: "all processes answer; replaced since the start: model: 1",
  });
});
