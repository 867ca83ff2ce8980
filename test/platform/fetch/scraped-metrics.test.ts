import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { registerGauge, registerGauges, registerTotal, registerTotals } from "#platform/fetch/scraped-metrics.ts";

const samples = async (registry: Registry) =>
  (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("a gauge shows what is so now, and nothing where nothing is known", async () => {
  const registry = new Registry();
  let watts: number | null = 41.5;
  registerGauge(registry, "watts", "input power", () => watts);
  expect(await samples(registry)).toEqual(["watts 41.5"]);
  watts = null;
  expect(await samples(registry)).toEqual([]);
  watts = 0;
  expect(await samples(registry)).toEqual(["watts 0"]);
});

test("gauges with labels forget who has gone", async () => {
  const registry = new Registry();
  let modes = [["MAXN", 1] as const];
  registerGauges(registry, "mode", "in force", ["mode"], async () => modes.map(([mode, on]) => [{ mode }, on]));
  expect(await samples(registry)).toEqual(['mode{mode="MAXN"} 1']);
  modes = [];
  expect(await samples(registry)).toEqual([]);
});

test("totals are followed label by label, and never fall", async () => {
  const registry = new Registry();
  const joules = new Map([["idle", 10]]);
  let drops = 2;
  registerTotals(registry, "joules_total", "energy", ["kind"], () =>
    [...joules].map(([kind, total]) => [{ kind }, total]),
  );
  registerTotal(registry, "drops_total", "dropped", () => drops);
  expect(await samples(registry)).toEqual(['joules_total{kind="idle"} 10', "drops_total 2"]);
  joules.set("idle", 25).set("active", 4);
  drops = 0;
  expect(await samples(registry)).toEqual([
    'joules_total{kind="idle"} 25',
    'joules_total{kind="active"} 4',
    "drops_total 2",
  ]);
  drops = 3;
  expect(await samples(registry)).toContain("drops_total 5");
});
