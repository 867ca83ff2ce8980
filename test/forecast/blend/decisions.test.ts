import { describe, expect, test } from "bun:test";
import { decideForecastModel } from "#forecast/blend/decide-forecast-model.ts";
import { decideTrainingStep, defaultPatience, startProgress } from "#forecast/lstm/decide-training-step.ts";
import { decideWorkerRestart } from "#forecast/lstm/worker/decide-worker-restart.ts";
import type { ForecastWorkerState } from "#forecast/lstm/worker/forecast-worker.ts";

describe("decideForecastModel", () => {
  const ready: ForecastWorkerState = { kind: "ready", backend: "wasm", reason: "", problem: null, pid: 1 };
  const full = { recordedSpanMinutes: 60, recordedMinutes: 60, busyMinutes: 60, worker: ready };
  test.each([
    { name: "all there", change: {}, model: "lstm", reason: "60 minutes recorded" },
    { name: "an old record", change: { recordedSpanMinutes: 10_000 }, model: "lstm", reason: "60 minutes recorded" },
    { name: "one request in the hour", change: { busyMinutes: 1 }, model: "lstm", reason: "60 minutes recorded" },
    {
      name: "some gaps",
      change: { recordedMinutes: 48 },
      model: "lstm",
      reason: "60 minutes recorded, 12 missing ones filled in",
    },
    {
      name: "too many gaps",
      change: { recordedMinutes: 47 },
      model: "moving-average",
      reason: "13 of the last 60 minutes are missing: moving average of 30 minutes",
    },
    {
      name: "a young record",
      change: { recordedSpanMinutes: 12, recordedMinutes: 12, busyMinutes: 12 },
      model: "moving-average",
      reason: "12 of 60 minutes recorded: moving average of 12 minutes",
    },
    {
      name: "59 minutes",
      change: { recordedSpanMinutes: 59, recordedMinutes: 59 },
      model: "moving-average",
      reason: "59 of 60 minutes recorded: moving average of 30 minutes",
    },
    {
      name: "one minute",
      change: { recordedSpanMinutes: 1, recordedMinutes: 1, busyMinutes: 1 },
      model: "moving-average",
      reason: "1 of 60 minutes recorded: moving average of one minute",
    },
    {
      name: "no record",
      change: { recordedSpanMinutes: 0, recordedMinutes: 0, busyMinutes: 0 },
      model: "zero",
      reason: "no minute of the last hour was recorded",
    },
    {
      name: "no traffic",
      change: { busyMinutes: 0 },
      model: "zero",
      reason: "no request in the 60 recorded minutes of the last hour",
    },
    {
      name: "starting",
      change: { worker: { kind: "starting" } as const },
      model: "moving-average",
      reason: "the model is still loading: moving average of 30 minutes",
    },
    {
      name: "stopped",
      change: { worker: { kind: "stopped" } as const },
      model: "moving-average",
      reason: "the model is stopped: moving average of 30 minutes",
    },
    {
      name: "lost",
      change: { worker: { kind: "lost", reason: "weights.bin can't be read" } as const },
      model: "moving-average",
      reason: "weights.bin can't be read: moving average of 30 minutes",
    },
  ])("$name", ({ change, model, reason }) => {
    expect(decideForecastModel({ ...full, ...change })).toEqual({ model, reason } as ReturnType<
      typeof decideForecastModel
    >);
  });
});

describe("decideTrainingStep", () => {
  const start = startProgress(1e-3);
  test("follows a training run: improves, lowers the rate on a plateau, stops", () => {
    const kinds: string[] = [];
    let progress = start;
    for (const [index, loss] of [0.5, 0.4, 0.45, 0.4, 0.41, 0.42, 0.43, 0.1].entries()) {
      const step = decideTrainingStep(progress, index + 1, loss, defaultPatience);
      kinds.push(step.kind);
      progress = step.progress;
      if (step.kind === "stop") break;
    }
    expect(kinds).toEqual(["improved", "improved", "continue", "continue", "lower-rate", "continue", "stop"]);
    expect(progress).toMatchObject({ bestEpoch: 2, bestValidationLoss: 0.4, learningRate: 5e-4 });
  });
  test.each([
    { name: "NaN", loss: Number.NaN, kind: "stop" },
    { name: "infinite", loss: Number.POSITIVE_INFINITY, kind: "continue" },
    { name: "zero", loss: 0, kind: "improved" },
  ])("first loss $name", ({ loss, kind }) => {
    expect(decideTrainingStep(start, 1, loss, defaultPatience).kind).toBe(kind as "stop");
  });
  test("does not lower the rate below its least", () => {
    const low = { learningRate: 1e-5, bestValidationLoss: 1, bestEpoch: 1, epochsOnPlateau: 2 };
    expect(decideTrainingStep(low, 4, 2, defaultPatience)).toMatchObject({
      kind: "continue",
      progress: { learningRate: 1e-5 },
    });
  });
});

test.each([
  { failures: 0, delayMs: 500 },
  { failures: 1, delayMs: 500 },
  { failures: 2, delayMs: 1_000 },
  { failures: 5, delayMs: 8_000 },
  { failures: 1_000, delayMs: 600_000 },
])("a worker lost $failures times is started again in $delayMs ms", ({ failures, delayMs }) => {
  expect(decideWorkerRestart(failures).delayMs).toBe(delayMs);
});
