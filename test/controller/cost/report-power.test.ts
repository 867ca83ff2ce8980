import { describe, expect, test } from "bun:test";
import { powerReportToText } from "#cli/power/power.ts";
import { PowerReportBuilder } from "#controller/cost/report-power.ts";
import { hourMs } from "#platform/time.ts";
import type { Birth, MinuteData, PowerModeProfile } from "#protocol/messages.ts";
import { aBirth, aMinute, aPower } from "../../fakes/builders.ts";

const assumptions = { tariffUsdPerKwh: 0.15, co2KgPerKwh: 0.4, targetUtilization: 0.8 };
const mode = (
  id: number,
  name: string,
  capacityQps: number,
  busyWatts: number,
  idleWatts: number,
): PowerModeProfile => ({
  id,
  name,
  capacityQps,
  busyWatts,
  idleWatts,
});
const withModes = (...powerModes: PowerModeProfile[]): Birth =>
  aBirth({ board: { kind: "jetson", name: "board", powerModes } });
const energy = (modeName: string, watts: number, measuredMs = hourMs) =>
  aPower({ modeName, energyJ: (watts * measuredMs) / 1000, measuredMs });

function reportOf(minutes: readonly MinuteData[], births: Record<string, Birth | null>) {
  const report = new PowerReportBuilder(new Map(Object.entries(births)), assumptions);
  for (const minute of minutes) report.add(minute);
  return report.report({ startMs: 0, endMs: 1 });
}

describe("power report", () => {
  test("the reference pattern: five devices, 9 h at 15 W, 9 h at 12 W, 6 h at 7 W a day, against 15 W always", () => {
    // Boards of that pattern draw what their mode is called after, busy or not.
    const classic = withModes(mode(0, "15W", 330, 15, 15), mode(1, "12W", 220, 12, 12), mode(2, "7W", 120, 7, 7));
    const minutes: MinuteData[] = [];
    for (let hour = 0; hour < 30 * 24; hour += 1) {
      const [name, watts] = hour % 24 < 9 ? ["15W", 15] : hour % 24 < 18 ? ["12W", 12] : ["7W", 7];
      for (const agentId of ["a", "b", "c", "d", "e"]) {
        minutes.push(
          aMinute({
            agentId,
            minuteStartMs: hour * hourMs,
            observedMs: hourMs,
            power: energy(name as string, watts as number),
          }),
        );
      }
    }
    const report = reportOf(minutes, { a: classic, b: classic, c: classic, d: classic, e: classic });
    expect(report.actual.energyKwh).toBeCloseTo(42.75, 9);
    expect(report.actual.usd).toBeCloseTo(6.4125, 9);
    expect(report.actual.co2Kg).toBeCloseTo(17.1, 9);
    expect(report.alwaysTopMode?.energyKwh).toBeCloseTo(54, 9);
    expect(report.alwaysTopMode?.usd).toBeCloseTo(8.1, 9);
    expect(report.alwaysTopMode?.savedShare).toBeCloseTo(1 - 42.75 / 54, 9);
    expect(report.minutesByMode).toEqual({ "12W": 5 * 30 * 9 * 60, "15W": 5 * 30 * 9 * 60, "7W": 5 * 30 * 6 * 60 });
    expect(report.measuredMinutes).toBeCloseTo(5 * 30 * 24 * 60, 6);
  });

  test("foresight takes the cheapest mode that carries the minute, and the top one when none does", () => {
    const board = withModes(mode(0, "FAST", 100, 50, 20), mode(1, "SLOW", 50, 20, 10));
    const minute = (texts: number) =>
      // By a mode that the profile has not: with nothing to scale by, the figures are the profile's.
      aMinute({ minuteStartMs: texts * 60_000, power: energy("OTHER", 50, 60_000), requests: texts * 60 });
    const of = (texts: number) => reportOf([minute(texts)], { "thor-1": board });
    const joules = (kwh: number | undefined) => (kwh ?? Number.NaN) * 3_600_000;
    // 0 qps idles in SLOW at 10 W; 40 qps is 80 % of SLOW: 18 W; 41 qps needs FAST: 32.3 W; 500 qps is beyond FAST: 50 W.
    expect(joules(of(0).foresight?.energyKwh)).toBeCloseTo(600, 6);
    expect(joules(of(40).foresight?.energyKwh)).toBeCloseTo(18 * 60, 6);
    expect(joules(of(41).foresight?.energyKwh)).toBeCloseTo(32.3 * 60, 6);
    expect(joules(of(500).foresight?.energyKwh)).toBeCloseTo(50 * 60, 6);
    expect(joules(of(40).alwaysTopMode?.energyKwh)).toBeCloseTo(32 * 60, 6);
    expect(of(40).foresight?.actualRatio).toBeCloseTo(50 / 18, 9);
  });

  test.each([0.25, 1, 3])(
    "a board that stayed in its top mode saves nothing when it draws %p of its profile",
    (times) => {
      const board = withModes(mode(0, "FAST", 100, 50, 20), mode(1, "SLOW", 50, 20, 10));
      const at = (texts: number) =>
        aMinute({ requests: texts * 60, power: energy("FAST", times * (20 + 0.3 * texts), 60_000) });
      const report = reportOf([at(0), at(40), at(90)], { "thor-1": board });
      expect(report.alwaysTopMode?.savedShare).toBeCloseTo(0, 9);
    },
  );

  test("minutes without measured energy are left out; without any there is nothing to say", () => {
    const report = reportOf([aMinute({ power: null }), aMinute({ power: energy("X", 10, 0) })], { "thor-1": aBirth() });
    expect(report).toMatchObject({ measuredMinutes: 0, alwaysTopMode: null, foresight: null, agents: [] });
    expect(report.unknownReason).toMatch(/no minute with measured energy/);
  });

  test("an agent whose modes are not known leaves nothing to compare with, and is named", () => {
    const birth = aBirth();
    const nameless = aBirth({
      board: {
        kind: "jetson",
        name: "x",
        powerModes: [{ id: 0, name: "MAXN", capacityQps: null, busyWatts: null, idleWatts: null }],
      },
    });
    const minutes = ["a", "b"].map((agentId) => aMinute({ agentId, power: energy("MAXN", 10, 60_000) }));
    const report = reportOf(minutes, { a: birth, b: nameless });
    expect(report.actual.energyKwh).toBeCloseTo(1200 / 3_600_000, 12);
    expect(report.foresight).toBeNull();
    expect(report.unknownReason).toContain("are unknown of b");
  });

  test("agents add up to the total, each at its own tariff", () => {
    const dear = aBirth({ prices: { tariffUsdPerKwh: 0.45, amortisationUsdPerHour: null } });
    const minutes = ["a", "b"].map((agentId) => aMinute({ agentId, power: energy("MAXN", 100) }));
    const { actual, agents } = reportOf(minutes, { a: aBirth(), b: dear });
    expect(agents.map(({ usd }) => usd)).toEqual([expect.closeTo(0.015, 9), expect.closeTo(0.045, 9)]);
    expect(actual.usd).toBeCloseTo(0.06, 9);
  });

  test("what the energy was for adds up to it: idle, active by model and tenant, nobody's, and what could not be split", () => {
    const base = energy("MAXN", 100, 60_000) as NonNullable<MinuteData["power"]>;
    const split = (models: NonNullable<typeof base.models>) => ({ ...base, idleJ: 1200, activeJ: 4800, models });
    const red = (energyJ: number) => ({ tenant: "red", energyJ });
    const { actual, energyByUse } = reportOf(
      [
        aMinute({
          power: split([{ model: "a", energyJ: 4800, tenants: [red(3600), { tenant: "blue", energyJ: 1200 }] }]),
        }),
        aMinute({
          seq: 2,
          power: split([
            { model: "a", energyJ: 3600 },
            { model: "b", energyJ: 1200, tenants: [red(1200)] },
          ]),
        }),
        aMinute({ seq: 3, power: split([]) }),
        aMinute({ seq: 4, power: base }),
      ],
      { "thor-1": aBirth() },
    );
    const { idleKwh, activeKwh, unsplitKwh, unattributedKwh, byTenant } = energyByUse;
    expect(idleKwh + activeKwh + unsplitKwh).toBeCloseTo(actual.energyKwh, 12);
    const attributed = byTenant.reduce((sum, each) => sum + each.activeKwh, 0);
    expect(attributed + unattributedKwh).toBeCloseTo(activeKwh, 12);
    expect(unattributedKwh * 3.6e6).toBeCloseTo(4800, 6);
    expect(unsplitKwh * 3.6e6).toBeCloseTo(6000, 6);
    expect(byTenant.map((each) => [each.model, each.tenant, Math.round(each.activeKwh * 3.6e6)])).toEqual([
      ["a", "red", 3600],
      ["a", "default", 3600],
      ["a", "blue", 1200],
      ["b", "red", 1200],
    ]);
    expect(byTenant[0]?.activeUsd).toBeCloseTo(0.00015, 9);
  });

  test("the whole report of two agents, in the order of their names, modes too", () => {
    const board = withModes(mode(0, "FAST", 100, 50, 20), mode(1, "SLOW", 50, 20, 10));
    const minutes = [
      aMinute({ agentId: "b", requests: 3000, power: energy("SLOW", 36, 60_000) }),
      aMinute({ agentId: "b", requests: 0, role: "standby", power: energy("FAST", 30, 30_000) }),
      aMinute({ agentId: "a", requests: 1200, observedMs: 30_000, power: energy("FAST", 40, 30_000) }),
    ];
    const builder = new PowerReportBuilder(
      new Map([
        ["a", board],
        ["b", board],
      ] as const),
      assumptions,
    );
    for (const minute of minutes) builder.add(minute);
    const { energyByUse, ...report } = builder.report({ startMs: 0.6, endMs: 9.6 });
    const amounts = (joules: number) => {
      const energyKwh = joules / 3_600_000;
      return {
        energyKwh: expect.closeTo(energyKwh, 12),
        usd: expect.closeTo(energyKwh * 0.15, 12),
        co2Kg: expect.closeTo(energyKwh * 0.4, 12),
      };
    };
    const actualJ = 36 * 60 + 30 * 30 + 40 * 30;
    // b at 50 of 100 qps, then idle for half a minute; a at 40 qps for half a minute.
    // b drew 36 W where its mode should at most draw 20, a 40 W instead of 32.
    const [scaleA, scaleB] = [40 / 32, 36 / 20];
    const topJ = scaleB * (35 * 60 + 20 * 30) + scaleA * 32 * 30;
    const foresightJ = scaleB * (35 * 60 + 10 * 30) + scaleA * 18 * 30;
    expect(energyByUse.unsplitKwh).toBeCloseTo(actualJ / 3_600_000, 12);
    expect(report).toEqual({
      window: { startMs: 1, endMs: 10 },
      measuredMinutes: 2,
      actual: amounts(actualJ),
      alwaysTopMode: { ...amounts(topJ), savedShare: expect.closeTo(1 - actualJ / topJ, 9) },
      foresight: { ...amounts(foresightJ), actualRatio: expect.closeTo(actualJ / foresightJ, 9) },
      unknownReason: null,
      minutesByMode: { FAST: 1, SLOW: 1 },
      agents: [
        { agentId: "a", ...amounts(1200), minutesByMode: { FAST: 0.5 } },
        { agentId: "b", ...amounts(3060), minutesByMode: { FAST: 0.5, SLOW: 1 } },
      ],
      assumptions,
    });
    expect(Object.keys(report.minutesByMode)).toEqual(["FAST", "SLOW"]);
    expect(Object.keys(report.agents[1]?.minutesByMode ?? {})).toEqual(["FAST", "SLOW"]);
  });

  test("a minute at rest at no watts compares as equal, and one that was not observed as idle", () => {
    const nothing = withModes(mode(0, "OFF", 10, 0, 0));
    const report = reportOf([aMinute({ observedMs: 0, power: energy("OFF", 0, 60_000) })], { "thor-1": nothing });
    expect([report.alwaysTopMode?.savedShare, report.foresight?.actualRatio]).toEqual([0, 1]);
    const board = withModes(mode(0, "FAST", 100, 50, 20));
    const idle = reportOf([aMinute({ observedMs: 0, power: energy("FAST", 20, 60_000) })], { "thor-1": board });
    expect(idle.alwaysTopMode?.energyKwh).toBeCloseTo((20 * 60) / 3_600_000, 12);
  });

  test.each([
    ["no capacity", { capacityQps: null }],
    ["a capacity of nothing", { capacityQps: 0 }],
    ["no watts when busy", { busyWatts: null }],
    ["no watts when idle", { idleWatts: null }],
  ])("one mode with %s leaves nothing to compare with", (_name, unknown) => {
    const board = withModes(mode(0, "FAST", 100, 50, 20), { ...mode(1, "SLOW", 50, 20, 10), ...unknown });
    const report = reportOf([aMinute({})], { "thor-1": board });
    expect([report.alwaysTopMode, report.unknownReason]).toEqual([
      null,
      "capacity and watts of the modes are unknown of thor-1",
    ]);
  });

  test("half a query a second is within a capacity of half of one", () => {
    const board = withModes(mode(0, "FAST", 100, 50, 20), mode(1, "TINY", 0.5, 2, 1));
    const report = reportOf([aMinute({ requests: 0, power: energy("TINY", 1, 60_000) })], { "thor-1": board });
    expect(report.foresight?.energyKwh).toBeCloseTo(60 / 3_600_000, 12);
  });

  test("several agents without a profile are named in order", () => {
    const report = reportOf(
      ["c", "a", "b"].map((agentId) => aMinute({ agentId })),
      { a: aBirth() },
    );
    expect(report.unknownReason).toBe("capacity and watts of the modes are unknown of b, c");
  });

  test("64 names of modes are told apart for an agent; further ones count together", () => {
    const minutes = Array.from({ length: 67 }, (_, index) => aMinute({ power: energy(`M${index % 66}`, 10, 60_000) }));
    const { agents } = reportOf(minutes, {});
    const { M0, M63, M64, ...rest } = agents[0]?.minutesByMode ?? {};
    expect([M0, M63, M64, Object.keys(rest).length, Object.values(rest).filter((count) => count === 2).length]).toEqual(
      [2, 1, undefined, 63, 1],
    );
  });

  test("reads well in a terminal", () => {
    const text = powerReportToText(reportOf([aMinute({ power: energy("70W", 40) })], { "thor-1": aBirth() }));
    expect(text).toContain("actual           0.040");
    expect(text).toContain("minutes in each mode: 70W 60");
    expect(powerReportToText(reportOf([], {}))).toContain("no minute with measured energy");
  });
});
