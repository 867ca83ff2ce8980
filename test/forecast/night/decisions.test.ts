import { describe, expect, test } from "bun:test";
import { decideNightTraining, isWithin, type TrainingSituation } from "#forecast/night/decide-night-training.ts";
import { decidePromotion, type PromotionSituation } from "#forecast/night/decide-promotion.ts";

const hourMs = 3_600_000;

describe("decideNightTraining", () => {
  const night: TrainingSituation = {
    enabled: true,
    minuteOfDay: 120,
    window: "01:00-05:00",
    nowMs: 1_000 * hourMs,
    running: false,
    busy: false,
    lastEndedMs: null,
    recordedMinutes: 10_080,
    neededMinutes: 10_080,
    windows: null,
  };
  const windows = (train: number, validation: number, test: number) => ({
    train: { found: train, needed: 5 },
    validation: { found: validation, needed: 5 },
    test: { found: test, needed: 30 },
  });
  test.each<{ name: string; change: Partial<TrainingSituation>; kind: string; says: string }>([
    { name: "a first night", change: {}, kind: "start", says: "10080 minutes recorded" },
    { name: "switched off", change: { enabled: false }, kind: "wait", says: "is off" },
    { name: "switched off while it trains", change: { enabled: false, running: true }, kind: "stop", says: "is off" },
    { name: "by day", change: { minuteOfDay: 720 }, kind: "wait", says: "outside the window" },
    { name: "the minute the window ends", change: { minuteOfDay: 300, running: true }, kind: "stop", says: "is over" },
    { name: "the minute before", change: { minuteOfDay: 299, running: true }, kind: "go-on", says: "within" },
    { name: "requests wait", change: { running: true, busy: true }, kind: "rest", says: "requests wait" },
    { name: "requests wait before it begins", change: { busy: true }, kind: "wait", says: "requests wait" },
    { name: "too little record", change: { recordedMinutes: 10_079 }, kind: "wait", says: "10079 of 10080" },
    {
      name: "just enough windows",
      change: { windows: windows(5, 5, 30) },
      kind: "start",
      says: "10080 minutes recorded",
    },
    {
      name: "nothing to learn from",
      change: { windows: windows(4, 5, 30) },
      kind: "wait",
      says: "too little record without gaps: has 4 + 5 + 30 windows to train, validate and test, needs 5 + 5 + 30",
    },
    { name: "nothing to choose by", change: { windows: windows(5, 4, 30) }, kind: "wait", says: "without gaps" },
    { name: "too few to be judged by", change: { windows: windows(5, 5, 29) }, kind: "wait", says: "5 + 5 + 29" },
    {
      name: "one under way is not asked",
      change: { running: true, windows: windows(0, 0, 0) },
      kind: "go-on",
      says: "",
    },
    { name: "done an hour ago", change: { lastEndedMs: 999 * hourMs }, kind: "wait", says: "is done" },
    { name: "done yesterday", change: { lastEndedMs: 976 * hourMs }, kind: "start", says: "" },
    {
      name: "done in a future that a clock set back made",
      change: { lastEndedMs: 2_000 * hourMs },
      kind: "start",
      says: "",
    },
  ])("$name", ({ change, kind, says }) => {
    const decision = decideNightTraining({ ...night, ...change });
    expect(decision.kind as string).toBe(kind);
    expect(decision.reason).toContain(says);
  });

  test.each([
    { window: "22:00-04:00", minute: 23 * 60, within: true },
    { window: "22:00-04:00", minute: 0, within: true },
    { window: "22:00-04:00", minute: 4 * 60, within: false },
    { window: "22:00-04:00", minute: 12 * 60, within: false },
    { window: "00:00-00:00", minute: 777, within: true },
    { window: "01:30-01:31", minute: 90, within: true },
    { window: "01:30-01:31", minute: 91, within: false },
  ])("$minute in $window: $within", ({ window, minute, within }) => {
    expect(isWithin(window, minute)).toBe(within);
  });
});

describe("decidePromotion", () => {
  const error = (wapePercent: number | null, forecasts = 100) => ({ wapePercent, forecasts });
  test.each<{ name: string; situation: PromotionSituation; kind: string; says: string }>([
    {
      name: "a better one",
      situation: { candidate: error(20), incumbent: error(30), simpleWapePercent: 25 },
      kind: "promote",
      says: "WAPE 20.00 % against 30.00 % of the model in service on 100 held-out forecasts",
    },
    {
      name: "a worse one",
      situation: { candidate: error(31), incumbent: error(30), simpleWapePercent: 25 },
      kind: "keep",
      says: "not better by 1 %",
    },
    {
      name: "an equal",
      situation: { candidate: error(30), incumbent: error(30), simpleWapePercent: 25 },
      kind: "keep",
      says: "not better",
    },
    {
      name: "hardly better",
      situation: { candidate: error(29.8), incumbent: error(30), simpleWapePercent: 25 },
      kind: "keep",
      says: "not better",
    },
    {
      name: "better by 1 % exactly",
      situation: { candidate: error(99), incumbent: error(100), simpleWapePercent: 250 },
      kind: "keep",
      says: "not better",
    },
    {
      name: "too few to judge",
      situation: { candidate: error(1, 29), incumbent: error(30), simpleWapePercent: 9 },
      kind: "keep",
      says: "29 of 30",
    },
    {
      name: "nothing came",
      situation: { candidate: error(null), incumbent: error(null), simpleWapePercent: null },
      kind: "keep",
      says: "can't be told",
    },
    {
      name: "not a number",
      situation: { candidate: error(Number.NaN), incumbent: error(30), simpleWapePercent: 9 },
      kind: "keep",
      says: "can't be told",
    },
    {
      name: "the one in service is damaged, the new one good",
      situation: { candidate: error(20), incumbent: null, simpleWapePercent: 25 },
      kind: "promote",
      says: "can't be loaded",
    },
    {
      name: "the one in service is damaged, the new one bad",
      situation: { candidate: error(26), incumbent: null, simpleWapePercent: 25 },
      kind: "keep",
      says: "can't be loaded",
    },
  ])("$name", ({ situation, kind, says }) => {
    const decision = decidePromotion(situation);
    expect(decision.kind as string).toBe(kind);
    expect(decision.reason).toContain(says);
  });
});
