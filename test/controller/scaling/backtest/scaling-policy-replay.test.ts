import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { BacktestFleet } from "#controller/scaling/backtest/backtest-fleet.ts";
import { runBacktest } from "#controller/scaling/backtest/run-backtest.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { withoutUnrecorded } from "#controller/scaling/policy/play-scaling-policy.ts";
import { parseFormula } from "#controller/scaling/policy/triggers/formula.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import { parseConfig, readConfigFile } from "#platform/files/read-config.ts";

// The library takes its time to load on a busy machine: not within a test's.
parseFormula("a", ["a"]);

const fixtures = join(import.meta.dir, "../../../fixtures");
const fleet = parseConfig(BacktestFleet, await readConfigFile(join(fixtures, "reference-fleet.yaml")), "fleet");
const startMs = Date.parse("2026-01-14T00:00:00Z");
const traffic = (rates: readonly number[]) => ({
  startMs,
  rates,
  calendar: createCalendar("UTC", []),
});
const play = (policy: object, rates: readonly number[]) =>
  runBacktest(fleet, traffic(rates), [{ label: "p", policy: parseScalingPolicy(policy, "test"), terms: {} }])[0]!;
const unitsAt = (result: ReturnType<typeof play>, minute: number) => result.minutes[minute]?.unitsOn;

describe("a ScalingPolicy over recorded traffic", () => {
  test("a schedule's floor holds in its window and not after it", () => {
    const schedules = [{ name: "s", timeZone: "UTC", start: "0 1 * * *", end: "0 2 * * *", floor: 6 }];
    const result = play({ minReplicas: 1, maxReplicas: 10, schedules }, new Array(180).fill(100));
    expect(unitsAt(result, 50)).toBe(1);
    expect(unitsAt(result, 90)).toBe(6);
    expect(unitsAt(result, 170)).toBe(1);
  });

  test("shrinking waits for stabilisation, growth is that of HPA", () => {
    const rates = [...new Array(60).fill(100), ...new Array(10).fill(2000), ...new Array(60).fill(100)];
    const result = play({ minReplicas: 1, maxReplicas: 10 }, rates);
    expect(unitsAt(result, 69)).toBe(8);
    expect(unitsAt(result, 73)).toBe(8);
    expect(unitsAt(result, 90)).toBe(1);
  });

  test("the same input gives the same figures", () => {
    const rates = Array.from({ length: 300 }, (_, minute) => 500 + 400 * Math.sin(minute / 40));
    const policy = {
      minReplicas: 1,
      maxReplicas: 10,
      prediction: {},
      triggers: [{ kind: "agents", name: "r", metric: "qps", target: 200 }],
    };
    expect(play(policy, rates)).toEqual(play(policy, rates));
  });

  test("triggers that nobody has recorded are left out, with all that speaks of them", () => {
    const policy = parseScalingPolicy(
      {
        triggers: [
          { kind: "agents", name: "rate", metric: "qps", target: 200 },
          { kind: "queue-depth", name: "queue", target: 1 },
        ],
        formula: { expression: "rate + queue", target: 1 },
        fallback: { replicas: 2 },
      },
      "test",
    );
    const { policy: tried, leftOut } = withoutUnrecorded(policy);
    expect(leftOut).toEqual(["queue"]);
    expect(tried.triggers.map(({ name }) => name)).toEqual(["rate"]);
    expect(tried).not.toHaveProperty("formula");
    expect(tried).not.toHaveProperty("fallback");
  });
});
