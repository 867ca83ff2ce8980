import { describe, expect, test } from "bun:test";
import type { KnownMode } from "#agent/power/energy/mode-energy.ts";
import { PowerPolicy } from "#agent/power/power-config.ts";
import { backtestPower } from "#agent/power/replay/backtest-power.ts";
import { demandOfTrace } from "#agent/power/replay/demand-of-trace.ts";
import { forecastMinutes } from "#agent/power/replay/forecast-minutes.ts";
import { type ReplayInputs, replayForesight, replayPolicy, replayTopMode } from "#agent/power/replay/replay-policy.ts";
import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { minuteMs } from "#platform/time.ts";

describe("a trace as demand on a board", () => {
  const trace = (stepMs: number, counts: (number | null)[]) => ({ name: "t", stepMs, startMs: 5, counts });
  test.each([
    ["a minute a step", 60_000, [60, 120, null, 30], [50, 100, null, 25]],
    ["longer steps are held", 120_000, [60, 120], [50, 50, 100, 100]],
    [
      "shorter ones are averaged, gaps left out",
      20_000,
      [10, 20, 30, 40, null, null, null, null, null],
      [50, 100, null],
    ],
    ["nothing but silence", 60_000, [0, 0], [0, 0]],
    ["one step", 60_000, [7], [100]],
  ] as const)("%s", (_, stepMs, counts, expected) => {
    expect(demandOfTrace(trace(stepMs, [...counts]), 100)).toEqual({ startMs: 5, qps: [...expected] });
  });
});

test("each forecast knows only what came before its minute", async () => {
  const seen: MinuteRate[][] = [];
  const forecaster: Pick<Forecaster, "forecast"> = {
    async forecast(history, nowMs) {
      seen.push([...history]);
      return { madeAtMs: nowMs, model: "", reason: "", stepMs: minuteMs, qps: [history.length] };
    },
  };
  const forecasts = await forecastMinutes({ startMs: 0, qps: [1, null, 3, 4] }, 2, forecaster);
  expect(forecasts).toEqual([{ qps: [2] }, { qps: [3] }]);
  expect(seen[1]?.map(({ minuteStartMs, qps }) => [minuteStartMs, qps])).toEqual([
    [0, 1],
    [minuteMs, null],
    [2 * minuteMs, 3],
  ]);
});

const mode = (id: number, name: string, capacityQps: number, busyWatts: number, idleWatts: number): KnownMode => ({
  id,
  name,
  capacityQps,
  busyWatts,
  idleWatts,
});
const modes = [mode(0, "BIG", 400, 100, 20), mode(1, "SMALL", 100, 30, 10)];
const policy = parseConfig(PowerPolicy, {}, "test");

function replayOf(qps: (number | null)[], change: Partial<ReplayInputs> = {}): ReplayInputs {
  // Forecasts that say: it continues as it was in the minute before.
  const forecasts = qps.map((_, minute) => ({
    qps: new Array<number>(15).fill(qps[minute - 1] ?? qps[minute] ?? 0),
  }));
  return { demand: { startMs: 0, qps }, forecasts, firstForecastMinute: 0, judgedFromMinute: 0, modes, ...change };
}

describe("replay", () => {
  test("a quiet hour: one step down, energy by hand", () => {
    const run = replayPolicy(replayOf(new Array(60).fill(50)), policy);
    // In BIG for no time: the first decision is at the first second.
    expect(run).toMatchObject({ minutes: 60, sloMinutes: 0, switches: 1, minutesByMode: { SMALL: 60 } });
    expect(run.energyJ).toBeCloseTo(60 * 60 * (10 + 20 * 0.5) + 100, 6);
  });

  test("a jump that nobody foresaw costs its first minute, and only that", () => {
    const qps = [...new Array(40).fill(20), ...new Array(40).fill(300)];
    const run = replayPolicy(replayOf(qps), policy);
    expect(run.sloMinutes).toBe(1);
    expect(run.switches).toBe(2);
  });

  test("demand that goes up and down all the time is not followed without end", () => {
    const qps = Array.from({ length: 5 * 1440 }, (_, minute) => (Math.floor(minute / 10) % 2 === 0 ? 20 : 300));
    const run = replayPolicy(replayOf(qps, { judgedFromMinute: 1440 }), policy);
    expect((run.switches * 1440) / run.minutes).toBeLessThanOrEqual(40);
  });

  test("gaps count for nothing, and minutes before the judged ones only teach", () => {
    const run = replayPolicy(replayOf([50, 50, null, null, 50, 50], { judgedFromMinute: 1 }), policy);
    expect(run.minutes).toBe(3);
    expect(run.energyJ).toBeCloseTo(3 * 60 * 20, 6);
  });

  test("foresight takes the cheapest mode for each minute, the top mode when none carries it", () => {
    const inputs = replayOf([0, 80, 81, 390, null]);
    const big = (qps: number) => 20 + 80 * (qps / 400);
    expect(replayForesight(inputs, 0.8)).toBeCloseTo(60 * (10 + 26 + big(81) + big(390)), 6);
    expect(replayForesight(inputs, 1)).toBeCloseTo(60 * (10 + 26 + (10 + 20 * 0.81) + big(390)), 6);
    expect(replayTopMode(inputs)).toBeCloseTo(60 * (big(0) + big(80) + big(81) + big(390)), 6);
  });
});

describe("backtest of the policy", () => {
  /** A day's wave with noise of its own, the same in every run. */
  const wave = Array.from({ length: 3 * 1440 }, (_, minute) => {
    const noise = ((minute * 7919) % 101) / 101 - 0.5;
    return 150 + 140 * Math.sin((2 * Math.PI * minute) / 1440) + 10 * noise;
  });
  const lastValue: Pick<Forecaster, "forecast"> = {
    forecast: async (history, nowMs) => ({
      madeAtMs: nowMs,
      model: "last-value",
      reason: "",
      stepMs: minuteMs,
      qps: new Array<number>(15).fill(history.at(-1)?.qps ?? 0),
    }),
  };

  test("on a plain daily wave the policy keeps near foresight, keeps the SLO and switches seldom", async () => {
    const result = await backtestPower({ startMs: 0, qps: wave }, modes, policy, lastValue, 2, () => {});
    const [forecast, known, threshold, top] = result.rows;
    expect(result.minutes).toBe(2880);
    expect(forecast?.foresightRatio).toBeLessThan(1.02);
    expect(forecast?.sloShare).toBeLessThanOrEqual(0.001);
    expect(forecast?.switchesPerDay).toBeLessThan(10);
    expect(known?.foresightRatio).toBeLessThan(1.05);
    expect(threshold?.policy).toBe("threshold");
    expect(top).toMatchObject({ policy: "always BIG", sloMinutes: 0, switchesPerDay: 0 });
    expect(top?.foresightRatio).toBeGreaterThan(1.05);
  });

  test("an hour of a trace is enough, half of one is not", async () => {
    const hour = await backtestPower({ startMs: 0, qps: wave.slice(0, 58) }, modes, policy, lastValue, 7, () => {});
    expect(hour.minutes).toBe(22);
    const shorter = backtestPower({ startMs: 0, qps: wave.slice(0, 39) }, modes, policy, lastValue, 7, () => {});
    await expect(shorter).rejects.toThrow("too short to judge: expected at least 40 minutes, got 39");
  });
});
