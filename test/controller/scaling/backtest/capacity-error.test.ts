import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import type { SeenWork } from "#agent/capacity/decide-capacity-estimate.ts";
import { BacktestFleet } from "#controller/scaling/backtest/backtest-fleet.ts";
import {
  type CapacityError,
  noCapacityError,
  parseCapacityError,
  profiledFleet,
  scaleCapacity,
  trueFactors,
  trueShare,
} from "#controller/scaling/backtest/capacity-error.ts";
import { MeasuredCapacity, workOfMinute } from "#controller/scaling/backtest/measured-capacity.ts";
import { type PolicyResult, runBacktest } from "#controller/scaling/backtest/run-backtest.ts";
import { initialState, off, simulateMinute } from "#controller/scaling/backtest/simulate-fleet.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { readTraffic } from "#tools/reports/backtest/read-traffic.ts";

const root = join(import.meta.dir, "../../../..");
const fleet = Value.Parse(
  BacktestFleet,
  Bun.YAML.parse(await Bun.file(join(root, "test/fixtures/reference-fleet.yaml")).text()),
) as BacktestFleet;
const topQps = (of: BacktestFleet) => of.devices[0]?.modes[0]?.capacityQps ?? Number.NaN;

test.each([
  ["0.05", { kind: "factor", factor: 0.05 }],
  ["2", { kind: "factor", factor: 2 }],
  ["0.01", { kind: "factor", factor: 0.01 }],
  ["100", { kind: "factor", factor: 100 }],
  ["drift", { kind: "drift" }],
  ["one-bad", { kind: "one-bad" }],
  ...["", " ", "0", "0.009", "101", "-1", "NaN", "Infinity", "Drift", "1x"].map((text) => [text, null] as const),
] as const)("%p", (text, error) => {
  expect(parseCapacityError(text)).toEqual(error);
});

test("a profile is wrong by the factor, so that what devices really carry stays the same", () => {
  expect(topQps(profiledFleet(fleet, { kind: "factor", factor: 0.05 }))).toBeCloseTo(20 * topQps(fleet), 9);
  expect(profiledFleet(fleet, { kind: "drift" })).toBe(fleet);
});

test("what devices really carry", () => {
  const shares = (error: CapacityError, minute: number) => [0, 1].map((place) => trueShare(error, place, minute));
  expect(shares({ kind: "factor", factor: 0.05 }, 7)).toEqual([1, 1]);
  expect(shares({ kind: "one-bad" }, 7)).toEqual([0.05, 1]);
  expect(shares({ kind: "drift" }, 1080)[0]).toBeCloseTo(1.4, 9);
  expect(shares({ kind: "drift" }, 3240)[1]).toBeCloseTo(0.6, 9);
  const { count } = fleet.devices[0] as BacktestFleet["devices"][number];
  expect(trueFactors(fleet, { kind: "one-bad" }, 0)[0]).toBeCloseTo((count - 1 + 0.05) / count, 9);
});

describe("agents of a replay", () => {
  const speed = ({ computedCost, busyMs }: SeenWork) => computedCost / busyMs;
  test("compute in smaller batches the less they are used, which seem slower", () => {
    const [idle, half, full] = [0.05, 0.5, 1].map((use) => workOfMinute(60 * use, use, use === 1));
    const perBatch = [idle, half, full].map((work) => (work?.texts ?? 0) / (work?.batches ?? 1));
    expect(perBatch).toEqual([expect.closeTo(1.02, 2), expect.closeTo(2.75, 2), 8]);
    const seems = [idle, half, full].map((work) => speed(work as SeenWork) / speed(full as SeenWork));
    expect(seems).toEqual([expect.closeTo(0.9, 1), expect.closeTo(0.96, 1), 1]);
    expect(full?.busyMs).toBeCloseTo(60_000, 6);
  });

  test("follow a capacity that falls to half within a day without being full", () => {
    const measured = new MeasuredCapacity(fleet, 1);
    const trueQps = (minute: number) => 1_000 * (1 - (0.5 * Math.max(0, minute - 60)) / 1_440);
    const servedQps = (minute: number) => 400 + 100 * Math.sin(minute / 60);
    for (let minute = 0; minute < 1_500; minute += 1) {
      const isSaturated = minute < 5;
      const served = isSaturated ? trueQps(minute) : servedQps(minute);
      const work = { servedQps: served, trueQps: trueQps(minute), profiledQps: 1_000, isSaturated };
      measured.observe(fleet.devices.map(() => work));
      const factor = topQps(measured.fleet) / topQps(fleet);
      expect(Math.abs(factor / (trueQps(minute) / 1_000) - 1)).toBeLessThan(0.05);
    }
  });
});

test("a slow device carries less, draws as much when it is full, and counts as such", () => {
  const modes = initialState(fleet).devices.map((_, place) => (place < 2 ? 0 : off));
  const target = { modes, units: fleet.cloud.map(() => 0) };
  const share = (place: number) => (place === 0 ? 0.5 : 1);
  const outcome = simulateMinute(fleet, initialState(fleet), target, 1e6, 0, share);
  expect(outcome.capacityQps).toBeCloseTo(1.5 * topQps(fleet), 6);
  expect(outcome.energyKwh).toBeCloseTo(simulateMinute(fleet, initialState(fleet), target, 1e6, 0).energyKwh, 9);
  const [work] = outcome.work;
  expect(work?.trueQps).toBeCloseTo(1.5 * topQps(fleet), 6);
  expect(work?.profiledQps).toBeCloseTo(2 * topQps(fleet), 6);
  expect(work?.servedQps).toBeCloseTo(1.5 * topQps(fleet), 6);
  expect(work?.isSaturated).toBe(true);
});

describe("measured capacity", () => {
  const work = (servedQps: number, trueQps: number, isSaturated = false) =>
    fleet.devices.map(() => ({ servedQps, trueQps, profiledQps: 1000, isSaturated }));

  test.each([0.05, 0.5, 2])("a saturated minute shows that devices carry %p of their profile", (share) => {
    const measured = new MeasuredCapacity(fleet, 1);
    measured.observe(work(1000 * share, 1000 * share, true));
    expect(topQps(measured.fleet)).toBeCloseTo(share * topQps(fleet), 6);
  });

  test("a few half-used minutes show it, too; idle ones show nothing", () => {
    const measured = new MeasuredCapacity(fleet, 1);
    measured.observe(work(0, 50));
    expect(measured.fleet).toBe(fleet);
    expect(measured.isProven).toBe(false);
    for (let minute = 0; minute < 6; minute += 1) measured.observe(work(25, 50));
    expect(topQps(measured.fleet) / topQps(fleet)).toBeCloseTo(0.05, 2);
    expect(measured.isProven).toBe(true);
  });

  test("a fall of more than 1 % is planned for", () => {
    const measured = new MeasuredCapacity(fleet, 1);
    measured.adopt(fleet.devices.map(() => 0.991));
    expect(measured.fleet).toBe(fleet);
    measured.adopt(fleet.devices.map(() => 0.989));
    expect(measured.fleet).toEqual(scaleCapacity(fleet, () => 0.989));
  });

  test("a rise of 3 % is noise", () => {
    const measured = new MeasuredCapacity(fleet, 1);
    measured.adopt(fleet.devices.map(() => 1.029));
    expect(measured.fleet).toBe(fleet);
    measured.adopt(fleet.devices.map(() => 1.04));
    expect(measured.fleet).toEqual(scaleCapacity(fleet, () => 1.04));
  });
});

test.each([0.05, 2])(
  "a day with devices that carry %p of their profile: the plan finds out, HPA does not",
  async (factor) => {
    const path = join(root, "models/traffic-lstm/nasa_http_jul95_1min.csv");
    const { startMs, rates } = await readTraffic(path, fleet.peakQps, 1);
    const traffic = { startMs, rates, calendar: createCalendar("UTC", []) };
    const play = (policy: "hpa" | "fleet-plan" | "oracle", error: CapacityError) =>
      runBacktest(fleet, traffic, [{ label: policy, policy, terms: {} }], error)[0] as PolicyResult;
    const wrong: CapacityError = { kind: "factor", factor };
    const [plan, oracle] = [play("fleet-plan", wrong), play("oracle", wrong)];
    expect(oracle.costUsd).toBe(play("oracle", noCapacityError).costUsd);
    // Hardly more than with the right profile: nothing is switched off before it has been measured.
    const right = play("fleet-plan", noCapacityError);
    expect(plan.sloMinutes).toBeLessThanOrEqual(right.sloMinutes + 2);
    expect(plan.costUsd - plan.lostUsd).toBeLessThan(1.2 * oracle.costUsd);
    const hpa = play("hpa", wrong);
    if (factor < 1) expect(hpa.sloMinutesPercent).toBeGreaterThan(20);
    else expect(hpa.costUsd).toBeGreaterThan(1.2 * play("hpa", noCapacityError).costUsd);
  },
);
