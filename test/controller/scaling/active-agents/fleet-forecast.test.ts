import { expect, test } from "bun:test";
import pino from "pino";
import { FleetForecast } from "#controller/scaling/active-agents/fleet-forecast.ts";
import { minuteMs } from "#platform/time.ts";

const history = [{ minuteStartMs: 0, qps: 7 }];
function create(change: { forecast?: () => Promise<readonly number[]>; history?: typeof history } = {}) {
  const { forecast = async () => [1, 5, 9], history: rates = history } = change;
  const asked: number[] = [];
  const seen: unknown[] = [];
  const fleet = new FleetForecast({
    forecaster: {
      async start() {},
      async stop() {},
      forecast: async (_, nowMs) => {
        asked.push(nowMs);
        const qps = [...(await forecast())];
        return { madeAtMs: nowMs, model: "test", reason: "", stepMs: minuteMs, qps };
      },
      describe: () => ({ model: "test", backend: "none", reason: "" }),
    },
    history: () => rates,
    horizonMinutes: 2,
    onForecast: (given, { qps }) => seen.push([given, qps]),
    nowMs: () => 60_000 + asked.length,
    log: pino({ level: "silent" }),
  });
  return { fleet, asked, seen };
}

test("the highest rate within the horizon, which others are told of, too", async () => {
  const { fleet, seen } = create();
  expect(fleet.latest()).toBeNull();
  expect(await fleet.peakQps(0, false)).toBe(5);
  expect(fleet.latest()?.qps).toEqual([1, 5, 9]);
  expect(seen).toEqual([[history, [1, 5, 9]]]);
});

test("is made again unless one of the same minute will do", async () => {
  const { fleet, asked } = create();
  for (const [minute, mayRepeat] of [
    [0, true],
    [0, true],
    [0, false],
    [minuteMs, true],
  ] as const)
    await fleet.peakQps(minute, mayRepeat);
  expect(asked).toHaveLength(3);
});

test.each([
  ["without a rate on record", { history: [{ minuteStartMs: 0, qps: null }] as never }],
  ["where it fails", { forecast: () => Promise.reject(new Error("no")) }],
  ["that is not finite", { forecast: async () => [Number.NaN] }],
])("none %s", async (_name, change) => {
  const { fleet } = create(change);
  expect(await fleet.peakQps(0, false)).toBeNull();
});
