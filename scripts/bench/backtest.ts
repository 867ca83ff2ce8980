/** Thirty days of the trace that comes with the program (its beginning again at its end), on ten times the reference fleet. */
import { join } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { BacktestFleet } from "#controller/scaling/backtest/backtest-fleet.ts";
import { backtestPolicies, runBacktest } from "#controller/scaling/backtest/run-backtest.ts";
import { readTraffic } from "#tools/reports/backtest/read-traffic.ts";

const root = join(import.meta.dir, "../..");
const reference = Value.Parse(
  BacktestFleet,
  Bun.YAML.parse(await Bun.file(join(root, "test/fixtures/reference-fleet.yaml")).text()),
) as BacktestFleet;
const fleet: BacktestFleet = {
  ...reference,
  devices: reference.devices.map((make) => ({ ...make, count: make.count * 10 })),
  cloud: reference.cloud.map((offer) => ({ ...offer, max: offer.max * 10 })),
};
const path = join(root, "models/traffic-lstm/nasa_http_jul95_1min.csv");
const traffic = await readTraffic(path, 10 * (reference.peakQps ?? 2200), null);
const minutes = 30 * 1440;
const rates = Array.from({ length: minutes }, (_, minute) => traffic.rates[minute % traffic.rates.length] as number);
const timed = (policies: readonly (typeof backtestPolicies)[number][]) => {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  runBacktest(
    fleet,
    { ...traffic, rates },
    policies.map((policy) => ({ label: policy, policy, terms: {} })),
  );
  const { user, system } = process.cpuUsage(before);
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of a core`;
};
for (const policy of backtestPolicies) console.log(`${policy}: ${timed([policy])}`);
console.log(`all: ${timed(backtestPolicies)}`);
