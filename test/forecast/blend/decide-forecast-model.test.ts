import { expect, test } from "bun:test";
import {
  decideForecastModel,
  type ForecastModelDecision,
  type ForecastSituation,
} from "#forecast/blend/decide-forecast-model.ts";
import { explainForecastModel } from "#forecast/blend/explain-forecast-model.ts";

const full: ForecastSituation = {
  recordedSpanMinutes: 60,
  recordedMinutes: 60,
  busyMinutes: 60,
  worker: { kind: "ready", backend: "wasm", reason: "", problem: null, pid: 1 },
};
const average = (averagedMinutes: number) => ({ model: "moving-average", averagedMinutes }) as const;

test.each<{ name: string; change: Partial<ForecastSituation>; expected: ForecastModelDecision; says: string }>([
  {
    name: "all there",
    change: {},
    expected: { model: "lstm", rule: "enough-recorded", filledMinutes: 0 },
    says: "60 minutes recorded",
  },
  {
    name: "an old record",
    change: { recordedSpanMinutes: 10_000 },
    expected: { model: "lstm", rule: "enough-recorded", filledMinutes: 0 },
    says: "60 minutes recorded",
  },
  {
    name: "one request in the hour",
    change: { busyMinutes: 1 },
    expected: { model: "lstm", rule: "enough-recorded", filledMinutes: 0 },
    says: "60 minutes recorded",
  },
  {
    name: "some gaps",
    change: { recordedMinutes: 48 },
    expected: { model: "lstm", rule: "enough-recorded", filledMinutes: 12 },
    says: "60 minutes recorded, 12 missing ones filled in",
  },
  {
    name: "too many gaps",
    change: { recordedMinutes: 47 },
    expected: { ...average(30), rule: "too-many-gaps", missingMinutes: 13 },
    says: "13 of the last 60 minutes are missing: using the moving average of 30 minutes",
  },
  {
    name: "a young record",
    change: { recordedSpanMinutes: 12, recordedMinutes: 12, busyMinutes: 12 },
    expected: { ...average(12), rule: "short-record", recordedSpanMinutes: 12 },
    says: "12 of 60 minutes recorded: using the moving average of 12 minutes",
  },
  {
    name: "59 minutes",
    change: { recordedSpanMinutes: 59, recordedMinutes: 59 },
    expected: { ...average(30), rule: "short-record", recordedSpanMinutes: 59 },
    says: "59 of 60 minutes recorded: using the moving average of 30 minutes",
  },
  {
    name: "one minute",
    change: { recordedSpanMinutes: 1, recordedMinutes: 1, busyMinutes: 1 },
    expected: { ...average(1), rule: "short-record", recordedSpanMinutes: 1 },
    says: "1 of 60 minutes recorded: using the moving average of one minute",
  },
  {
    name: "no record",
    change: { recordedSpanMinutes: 0, recordedMinutes: 0, busyMinutes: 0 },
    expected: { model: "zero", rule: "nothing-recorded" },
    says: "no minute of the last hour was recorded",
  },
  {
    name: "no traffic",
    change: { busyMinutes: 0 },
    expected: { model: "zero", rule: "no-traffic", recordedMinutes: 60 },
    says: "no request in the 60 recorded minutes of the last hour",
  },
  {
    name: "starting",
    change: { worker: { kind: "starting" } },
    expected: { ...average(30), rule: "network-not-ready", state: "starting", problem: null },
    says: "the network is still loading: using the moving average of 30 minutes",
  },
  {
    name: "stopped",
    change: { worker: { kind: "stopped" } },
    expected: { ...average(30), rule: "network-not-ready", state: "stopped", problem: null },
    says: "the network is stopped: using the moving average of 30 minutes",
  },
  {
    name: "lost",
    change: { worker: { kind: "lost", reason: "weights.bin can't be read" } },
    expected: { ...average(30), rule: "network-not-ready", state: "lost", problem: "weights.bin can't be read" },
    says: "weights.bin can't be read: using the moving average of 30 minutes",
  },
])("$name", ({ change, expected, says }) => {
  const decision = decideForecastModel({ ...full, ...change });
  expect(decision).toEqual(expected);
  expect(explainForecastModel(decision)).toBe(says);
});
