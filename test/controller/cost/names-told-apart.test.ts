import { expect, test } from "bun:test";
import { CostAllocation } from "#controller/cost/allocate-cost.ts";
import { createNamesToldApart, nameLimits, otherNames } from "#controller/cost/names-told-apart.ts";
import { PowerReportBuilder } from "#controller/cost/report-power.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { aMinute, aModel } from "../../fakes/builders.ts";

test("an agent that makes names up leaves room for those of others, and keeps its own first ones", () => {
  const names = createNamesToldApart({ ofAgent: 2, inAll: 5 });
  expect(["a", "b", "c", "a"].map((name) => names.of("liar", name))).toEqual(["a", "b", otherNames, "a"]);
  expect(["a", "c", "d", "e"].map((name) => names.of("thor-1", name))).toEqual(["a", "c", "d", otherNames]);
  expect(["e", "f"].map((name) => names.of("thor-2", name))).toEqual(["e", otherNames]);
});

/** A minute in which all the names are ones that nobody has said before. */
function madeUp(minute: number): MinuteData {
  const model = { ...aModel(`model-${minute}`, 512), texts: 512 };
  const part = { requests: 1, texts: 1, tokens: 10, computeMs: 1 };
  const tenants = Array.from({ length: 512 }, (_, each) => ({ tenant: `tenant-${minute}-${each}`, ...part }));
  const whole = aMinute({ agentId: "liar", minuteStartMs: minute * 60_000 });
  const power = { ...(whole.power as NonNullable<MinuteData["power"]>), modeName: `mode-${minute}` };
  const energy = tenants.map(({ tenant }) => ({ tenant, energyJ: 1 }));
  return {
    ...whole,
    traffic: { ...whole.traffic, models: [{ ...model, tenants }] },
    power: { ...power, idleJ: 900, activeJ: 512, models: [{ model: model.model, energyJ: 512, tenants: energy }] },
  };
}

const honest = (minute: number): MinuteData => {
  const whole = aMinute({ agentId: "thor-1", minuteStartMs: minute * 60_000 });
  return {
    ...whole,
    power: {
      ...(whole.power as NonNullable<MinuteData["power"]>),
      idleJ: 900,
      activeJ: 900,
      models: [{ model: "mini", energyJ: 900 }],
    },
  };
};

test("reports of an agent that makes up names without end stay short, add up, and name what the others did", () => {
  const cost = new CostAllocation(new Map(), { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.05 });
  const power = new PowerReportBuilder(new Map(), { tariffUsdPerKwh: 0.15, co2KgPerKwh: 0.4, targetUtilization: 0.8 });
  const minutes = 400;
  for (let minute = 0; minute < minutes; minute += 1) {
    for (const record of [madeUp(minute), honest(minute)]) {
      cost.add(record);
      power.add(record);
    }
  }
  const costs = cost.report({ startMs: 0, endMs: 1 });
  const saved = power.report({ startMs: 0, endMs: 1 });
  const most = nameLimits.ofAgent + 2;
  expect(costs.tenants.length).toBeLessThanOrEqual(most);
  expect(costs.models.length).toBeLessThanOrEqual(most);
  expect(saved.energyByUse.byTenant.length).toBeLessThanOrEqual(most);
  expect(Object.keys(saved.minutesByMode).length).toBeLessThanOrEqual(70);
  for (const agent of saved.agents) expect(Object.keys(agent.minutesByMode).length).toBeLessThanOrEqual(65);
  expect(JSON.stringify([costs, saved]).length).toBeLessThan(2_000_000);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  expect(sum(costs.tenants.map(({ totalUsd }) => totalUsd))).toBeCloseTo(costs.totalUsd, 9);
  expect(sum(costs.models.map(({ totalUsd }) => totalUsd))).toBeCloseTo(costs.totalUsd, 9);
  expect(sum(saved.energyByUse.byTenant.map(({ activeKwh }) => activeKwh))).toBeCloseTo(saved.energyByUse.activeKwh, 9);
  expect(sum(Object.values(saved.minutesByMode))).toBeCloseTo(2 * minutes, 6);
  expect(costs.models.find(({ model }) => model === "mini")?.requests).toBe(minutes * 600);
  expect(costs.tenants.map(({ tenant }) => tenant)).toContain("default");
  expect(saved.energyByUse.byTenant.some(({ model, tenant }) => model === "mini" && tenant === "default")).toBe(true);
});

test("the limits of a report", () => expect(nameLimits).toEqual({ ofAgent: 2048, inAll: 10_000 }));
