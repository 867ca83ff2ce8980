import { describe, expect, test } from "bun:test";
import {
  decideNightTraining,
  isWithin,
  type TrainingDecision,
  TrainingSituation,
} from "#forecast/night/decide-night-training.ts";
import { explainNightTraining } from "#forecast/night/explain-night-training.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { hourMs } from "#platform/time.ts";
import { wrongFields } from "../../fakes/wrong-fields.ts";

const window = "01:00-05:00";
const night: TrainingSituation = {
  enabled: true,
  minuteOfDay: 120,
  window,
  nowMs: 1_000 * hourMs,
  running: false,
  busy: false,
  lastEndedMs: null,
  recordedMinutes: 10_080,
  neededMinutes: 10_080,
  windows: null,
  hours: null,
};
const cheapMs = 1_001 * hourMs;
const hours = (nowUsdPerKwh: number, laterUsdPerKwh: number) => ({
  nowUsdPerKwh,
  later: { startMs: cheapMs, usdPerKwh: laterUsdPerKwh },
});
const cheaper = (nowUsdPerKwh: number, usdPerKwh: number, startMs = cheapMs): TrainingDecision => ({
  ...{ kind: "wait", rule: "cheaper-hour", nowUsdPerKwh },
  later: { startMs, usdPerKwh },
});
const windows = (train: number, validation: number, test: number) => ({
  train: { found: train, needed: 5 },
  validation: { found: validation, needed: 5 },
  test: { found: test, needed: 30 },
});
const due: TrainingDecision = { kind: "start", rule: "due", recordedMinutes: 10_080, window };
const tooFew = (...found: [number, number, number]): TrainingDecision => ({
  kind: "wait",
  rule: "too-few-windows",
  windows: windows(...found),
});

describe("decideNightTraining", () => {
  test.each<{ name: string; change: Partial<TrainingSituation>; expected: TrainingDecision }>([
    { name: "a first night", change: {}, expected: due },
    { name: "switched off", change: { enabled: false }, expected: { kind: "wait", rule: "disabled" } },
    {
      name: "switched off while it trains",
      change: { enabled: false, running: true },
      expected: { kind: "stop", rule: "disabled" },
    },
    { name: "by day", change: { minuteOfDay: 720 }, expected: { kind: "wait", rule: "outside-window", window } },
    {
      name: "the minute the window ends",
      change: { minuteOfDay: 300, running: true },
      expected: { kind: "stop", rule: "outside-window", window },
    },
    {
      name: "the minute before",
      change: { minuteOfDay: 299, running: true },
      expected: { kind: "go-on", rule: "within-window", window },
    },
    {
      name: "requests are queued",
      change: { running: true, busy: true },
      expected: { kind: "rest", rule: "requests-queued" },
    },
    {
      name: "requests are queued before it begins",
      change: { busy: true },
      expected: { kind: "wait", rule: "requests-queued" },
    },
    {
      name: "too little record",
      change: { recordedMinutes: 10_079 },
      expected: { kind: "wait", rule: "short-record", recordedMinutes: 10_079, neededMinutes: 10_080 },
    },
    { name: "just enough windows", change: { windows: windows(5, 5, 30) }, expected: due },
    { name: "nothing to train on", change: { windows: windows(4, 5, 30) }, expected: tooFew(4, 5, 30) },
    { name: "nothing to choose by", change: { windows: windows(5, 4, 30) }, expected: tooFew(5, 4, 30) },
    { name: "too few to be judged by", change: { windows: windows(5, 5, 29) }, expected: tooFew(5, 5, 29) },
    {
      name: "a running one is not asked for windows",
      change: { running: true, windows: windows(0, 0, 0) },
      expected: { kind: "go-on", rule: "within-window", window },
    },
    {
      name: "done an hour ago",
      change: { lastEndedMs: 999 * hourMs },
      expected: { kind: "wait", rule: "trained-recently" },
    },
    {
      name: "done just less than twelve hours ago",
      change: { lastEndedMs: 988 * hourMs + 1 },
      expected: { kind: "wait", rule: "trained-recently" },
    },
    { name: "done twelve hours ago", change: { lastEndedMs: 988 * hourMs }, expected: due },
    { name: "done yesterday", change: { lastEndedMs: 976 * hourMs }, expected: due },
    { name: "done in a future that a clock set back made", change: { lastEndedMs: 2_000 * hourMs }, expected: due },
    {
      name: "done an hour from now by a clock set back",
      change: { lastEndedMs: 1_001 * hourMs },
      expected: { kind: "wait", rule: "trained-recently" },
    },
    { name: "no later hour is cheaper", change: { hours: { nowUsdPerKwh: 0.3, later: null } }, expected: due },
    { name: "the same price later", change: { hours: hours(0.3, 0.3) }, expected: due },
    { name: "dearer later", change: { hours: hours(0.3, 0.4) }, expected: due },
    { name: "for nothing at all hours", change: { hours: hours(0, 0) }, expected: due },
    { name: "for nothing later", change: { hours: hours(0.01, 0) }, expected: cheaper(0.01, 0) },
    { name: "cheaper by just a tenth later", change: { hours: hours(0.3, 0.27) }, expected: cheaper(0.3, 0.27) },
    { name: "cheaper by less than a tenth", change: { hours: hours(0.3, 0.2701) }, expected: due },
    {
      name: "a running one does not wait for a cheaper hour",
      change: { running: true, hours: hours(0.3, 0.1) },
      expected: { kind: "go-on", rule: "within-window", window },
    },
    {
      name: "what can't be trained waits for no cheaper hour",
      change: { windows: windows(4, 5, 30), hours: hours(0.3, 0.1) },
      expected: tooFew(4, 5, 30),
    },
  ])("$name", ({ change, expected }) => {
    expect(decideNightTraining({ ...night, ...change })).toEqual(expected);
  });

  test.each([
    { window: "22:00-04:00", minute: 23 * 60, within: true },
    { window: "22:00-04:00", minute: 22 * 60, within: true },
    { window: "22:00-04:00", minute: 0, within: true },
    { window: "22:00-04:00", minute: 4 * 60, within: false },
    { window: "22:00-04:00", minute: 12 * 60, within: false },
    { window: "00:00-00:00", minute: 777, within: true },
    { window: "01:30-01:31", minute: 89, within: false },
    { window: "01:30-01:31", minute: 90, within: true },
    { window: "01:30-01:31", minute: 91, within: false },
  ])("$minute in $window: $within", ({ window, minute, within }) => {
    expect(isWithin(window, minute)).toBe(within);
  });
});

test.each<{ decision: TrainingDecision; says: string }>([
  { decision: due, says: "10080 minutes recorded, within the window 01:00-05:00" },
  { decision: { ...due, window: "00:00-00:00" }, says: "10080 minutes recorded, at any hour" },
  { decision: { kind: "go-on", rule: "within-window", window }, says: "within the window 01:00-05:00" },
  { decision: { kind: "wait", rule: "disabled" }, says: "training on the device is off" },
  {
    decision: { kind: "stop", rule: "outside-window", window },
    says: "the window 01:00-05:00 has ended: training resumes in the next one",
  },
  { decision: { kind: "wait", rule: "outside-window", window }, says: "outside the window 01:00-05:00" },
  { decision: { kind: "rest", rule: "requests-queued" }, says: "requests are queued" },
  { decision: { kind: "wait", rule: "trained-recently" }, says: "this night's training is done" },
  {
    decision: { kind: "wait", rule: "short-record", recordedMinutes: 7, neededMinutes: 303 },
    says: "7 of 303 minutes recorded",
  },
  {
    decision: tooFew(4, 5, 29),
    says: "too little record without gaps: 4 + 5 + 29 windows to train, validate and test, 5 + 5 + 30 needed",
  },
  {
    decision: cheaper(0.31, 0.1900001, Date.UTC(2026, 10, 30, 2)),
    says: "electricity is cheaper from 2026-11-30 02:00 UTC on, still within the window: 0.19 US$/kWh, now 0.31 US$/kWh",
  },
])("explains: $says", ({ decision, says }) => {
  expect(explainNightTraining(decision)).toBe(says);
});

test("a file needs only the minute, the time and the record; a week of it by default", () => {
  const least = { minuteOfDay: 120, nowMs: 1_000 * hourMs, recordedMinutes: 10_080 };
  expect(parseConfig(TrainingSituation, least, "x")).toEqual(night);
  const edges = { minuteOfDay: 0, recordedMinutes: 0, neededMinutes: 0 };
  expect(wrongFields(TrainingSituation, { ...least, ...edges })).toEqual([]);
  expect(wrongFields(TrainingSituation, { ...least, minuteOfDay: 1439 })).toEqual([]);
  expect(wrongFields(TrainingSituation, { ...least, minuteOfDay: 1440, rest: 1 })).toEqual(["minuteOfDay", "rest"]);
  const below = { minuteOfDay: -1, recordedMinutes: -1, neededMinutes: -1 };
  expect(wrongFields(TrainingSituation, { ...least, ...below })).toEqual(Object.keys(below));
});
