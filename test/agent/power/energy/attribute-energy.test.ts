import { expect, test } from "bun:test";
import { attributeEnergy, energyByModel } from "#agent/power/energy/attribute-energy.ts";
import { createEnergyAccount } from "#agent/power/energy/energy-account.ts";
import { aMinute, aModel } from "../../../fakes/builders.ts";

const tenant = (name: string, computeMs: number, requests = 1) => ({
  tenant: name,
  requests,
  texts: requests,
  tokens: 0,
  computeMs,
});
const model = (name: string, ...tenants: ReturnType<typeof tenant>[]) => ({
  ...aModel(
    name,
    tenants.reduce((sum, { requests }) => sum + requests, 0),
    tenants.reduce((sum, { computeMs }) => sum + computeMs, 0),
  ),
  tenants,
});
const parts = (activeJ: number, ...models: Parameters<typeof attributeEnergy>[1][number][]) =>
  attributeEnergy(activeJ, models).map((part) => [part.model, part.tenant, part.energyJ]);

test("by compute time, not by how many asked: answers from the cache cost their tenant nothing", () => {
  expect(
    parts(100, model("a", tenant("red", 50, 2), tenant("blue", 0, 9000)), model("b", tenant("blue", 150, 1))),
  ).toEqual([
    ["a", "red", 25],
    ["b", "blue", 75],
  ]);
});

test("a model whose record names no tenants is the default tenant's", () => {
  expect(parts(100, aModel("a", 5, 60), model("b", tenant("red", 40)))).toEqual([
    ["a", "default", 60],
    ["b", "red", 40],
  ]);
});

test("several minutes that close together are one attribution, a pair once", () => {
  expect(parts(90, model("a", tenant("red", 10)), model("a", tenant("red", 20), tenant("blue", 15)))).toEqual([
    ["a", "red", 60],
    ["a", "blue", 30],
  ]);
});

test("the record names tenants only where one has a name", () => {
  expect(energyByModel(attributeEnergy(100, [aModel("a", 5, 60), model("b", tenant("red", 40))]))).toEqual([
    { model: "a", energyJ: 60 },
    { model: "b", energyJ: 40, tenants: [{ tenant: "red", energyJ: 40 }] },
  ]);
});

test("over many uneven minutes what is attributed and what is nobody's add up to the active energy", () => {
  const account = createEnergyAccount();
  let activeSum = 0;
  for (let index = 0; index < 1000; index += 1) {
    const activeJ = 1000 / 7 + (index % 13) * 33.3;
    activeSum += activeJ;
    const base = aMinute();
    const models =
      index % 5 === 0 ? [] : [model("a", tenant("red", index / 3), tenant("blue", 7.7)), aModel("b", 3, index % 3)];
    account.enter(
      {
        idleJ: 20,
        activeJ,
        unsplitJ: 0,
        energyJ: 20 + activeJ,
        measuredMs: 60_000,
        maxTemperatureC: null,
        gpuUtilization: null,
      },
      [{ ...base.traffic, models }],
    );
  }
  const attributed = account.attributed().reduce((sum, { energyJ }) => sum + energyJ, 0);
  expect(account.attributed().map((part) => [part.model, part.tenant])).toEqual([
    ["a", "red"],
    ["a", "blue"],
    ["b", "default"],
  ]);
  expect(account.unattributedJ()).toBeGreaterThan(1000);
  expect((attributed + account.unattributedJ()) / activeSum).toBeCloseTo(1, 12);
});
