import { expect, test } from "bun:test";
import { type PlannableAgent, toPlanInput } from "#controller/scaling/apply-plan/to-plan-input.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const board = (over: Partial<PlannableAgent> = {}): PlannableAgent => ({
  agentId: "a",
  board: "Thor",
  state: "active",
  stateForS: 60,
  mode: "MAXN",
  modes: [
    { name: "MAXN", capacityQps: 400, busyWatts: 120, idleWatts: 24 },
    { name: "70W", capacityQps: 200, busyWatts: 60, idleWatts: 20 },
  ],
  prices: { tariffUsdPerKwh: 0.2, amortisationUsdPerHour: 0.13 },
  staysActive: false,
  ...over,
});

function inputOf(agents: readonly PlannableAgent[], plan: Record<string, unknown> = {}) {
  const config = parseConfig(ScalingConfig, { plan }, "test") as ScalingConfig;
  return toPlanInput(agents, [100, 120], config, config.plan);
}
const deviceOf = (agent: PlannableAgent, plan: Record<string, unknown> = {}) => inputOf([agent], plan).devices[0]!;

test.each([
  { name: "what its most frugal mode idles at, as agents stand by in it", plan: {}, watts: 20 },
  { name: "what the owner says", plan: { standbyWatts: 2 }, watts: 2 },
])("on standby a device draws $name", ({ plan, watts }) => {
  expect(deviceOf(board(), plan).standbyWatts).toBe(watts);
});

test.each([
  { name: "a tenth of its amortisation, by default", plan: {}, usd: 0.013 },
  { name: "none of it", plan: { amortisationShare: 0 }, usd: 0 },
  { name: "all of it and more", plan: { amortisationShare: 1, usdPerHourActive: 0.05 }, usd: 0.18 },
])("an hour of serving costs $name", ({ plan, usd }) => {
  expect(deviceOf(board(), plan).usdPerHourActive).toBeCloseTo(usd, 12);
});

test("a board that doesn't say what it draws counts as a hungry one, a fifth of it idle", () => {
  const modes = [{ name: "MAXN", capacityQps: 420, busyWatts: null, idleWatts: null }];
  expect(deviceOf(board({ modes })).modes[0]).toMatchObject({ busyWatts: 130, idleWatts: 26 });
});

test("a device that pays another tariff counts in proportion", () => {
  const cheap = board({ agentId: "b", prices: { tariffUsdPerKwh: 0.05, amortisationUsdPerHour: 0 } });
  const input = inputOf([board(), cheap], { standbyWatts: 4 });
  expect(input.tariffUsdPerKwh).toBe(0.2);
  expect(input.devices[0]).toMatchObject({ standbyWatts: 4, modes: [{ busyWatts: 120 }, { idleWatts: 20 }] });
  expect(input.devices[1]).toMatchObject({ standbyWatts: 1, modes: [{ busyWatts: 30 }, { idleWatts: 5 }] });
  // No tariff at all: nothing to divide by.
  const free = { tariffUsdPerKwh: 0, amortisationUsdPerHour: 0 };
  expect(deviceOf(board({ prices: free })).modes[0]?.busyWatts).toBe(120);
});

test("what a lost request counts for follows what one costs, whatever the size of a request", () => {
  const usd = inputOf([board()]).shortfallUsdPerRequest;
  // 120 W at 0.2 $/kWh and 0.013 $ an hour, for 400 × 80 % a second.
  expect(usd).toBeCloseTo((100 * (0.12 * 0.2 + 0.013)) / (3600 * 320), 15);
  const thousandth = board().modes.map((mode) => ({ ...mode, capacityQps: (mode.capacityQps as number) / 1000 }));
  expect(inputOf([board({ modes: thousandth })]).shortfallUsdPerRequest).toBeCloseTo(1000 * usd, 12);
  expect(inputOf([board()], { shortfallUsdPerRequest: 0.5 }).shortfallUsdPerRequest).toBe(0.5);
  const none = board({ modes: [{ name: "off", capacityQps: 0, busyWatts: 1, idleWatts: 1 }] });
  expect(inputOf([none]).shortfallUsdPerRequest).toBe(0);
});
