import { describe, expect, test } from "bun:test";
import { decisions } from "#cli/decide/decisions.ts";
import { AllocationInput } from "#controller/cost/allocation/allocation-input.ts";
import { costsOf, totalOf } from "#controller/cost/allocation/costs.ts";
import { decideAllocation } from "#controller/cost/allocation/decide-allocation.ts";
import { billedCosts } from "#controller/cost/allocation/node-idle.ts";
import { productOf, sumOf } from "#controller/cost/money/money.ts";
import { parseConfig } from "#platform/files/read-config.ts";

const input = (given: object) => parseConfig(AllocationInput, given, "x.json");
const answer = (given: object) => decisions["allocation"]?.answer(given, "x.json") as Record<string, unknown>;

function createRandom(seed: number) {
  let state = seed;
  const below = (limit: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % limit;
  };
  return { below, one: <T>(values: readonly T[]) => values[below(values.length)] as T };
}

/** Fleet of random rows and nodes; some work is on nodes without a price. */
function aFleet({ below, one }: ReturnType<typeof createRandom>) {
  const money = () => below(1_000_000) / 10 ** (3 + below(7));
  const place = () => ({ cluster: `r${below(3)}`, node: `n${below(4)}` });
  const costs = () => ({ cpuCost: money(), ramCost: below(3) * money(), gpuCost: below(2) * money() });
  const items = Array.from({ length: below(30) }, (_, index) => ({
    ...{ name: `${index}${one(["", "", "", "/__unmounted__", "/__external__"])}`, ...place(), ...costs() },
    ...{ namespace: `t${below(5)}`, container: `m${below(3)}`, networkCost: money(), pvCost: below(2) * money() },
    labels: below(2) === 0 ? {} : { env: `e${below(2)}` },
  }));
  const nodes = Array.from({ length: below(8) }, () => ({
    ...{ ...place(), ...costs(), discount: below(10) / 10, adjustment: money() - money() },
  }));
  const options = {
    ...{ shareIdle: one(["none", "weighted", "even"]), shareSplit: one(["weighted", "even"]) },
    ...{ idleByNode: below(2) === 0, splitIdle: below(2) === 0, mergeUnallocated: below(2) === 0 },
    share: one([null, { op: "eq", field: "tenant", value: "t1" }]),
    sharedHourlyCosts: below(2) === 0 ? {} : { control: money(), dns: money() },
  };
  const fields = ["tenant", "model", "agent", "region", "label:env", "all"];
  return { items, nodes, options, aggregateBy: fields.filter(() => below(3) === 0), window: { hours: 1 + below(700) } };
}

/** All that was paid, added up without the code under test. */
function paid(fleet: ReturnType<typeof aFleet>) {
  const { items, nodes, options, window } = input(fleet);
  const keyOf = ({ cluster, node }: { cluster: string; node: string }) =>
    options.idleByNode ? `${cluster}/${node}` : cluster;
  const priced = new Set((nodes ?? []).map(keyOf));
  const onNodes = (item: (typeof items)[number]) => priced.has(keyOf(item)) && !item.name.includes("__external__");
  const beside = items.map((item) => {
    const { cpuCost, ramCost, gpuCost } = costsOf(item);
    return totalOf(costsOf(item)) - (onNodes(item) ? cpuCost + ramCost + gpuCost : 0n);
  });
  return sumOf([
    ...(nodes ?? []).flatMap(billedCosts),
    ...beside,
    ...Object.values(options.sharedHourlyCosts).map((each) => productOf(each, window.hours)),
  ]);
}

describe("every cent is accounted for", () => {
  test("whatever the fleet, the grouping and the sharing: rows add up to what was paid, exactly", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const fleet = aFleet(createRandom(seed * 7919));
      const { rows, assets, filteredOut } = decideAllocation(input(fleet));
      expect({ seed, rows: sumOf(rows.map(({ total }) => total)), filteredOut }).toEqual({
        ...{ seed, rows: paid(fleet), filteredOut: 0n },
      });
      expect(assets).toBe(paid(fleet));
    }
  });

  test("filters that part the rows part the sum, up to the rounding of each", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const fleet = aFleet(createRandom(seed * 104_729));
      const given = { ...fleet, options: { ...fleet.options, shareSplit: "weighted", idleByNode: true } };
      if (given.items.length === 0 || given.nodes.length === 0) continue;
      const parts = ["r0", "r1", "r2"].map((value) =>
        decideAllocation(
          input({ ...given, options: { ...given.options, filter: { op: "eq", field: "region", value } } }),
        ),
      );
      const whole = decideAllocation(input(given)).total;
      const isEmpty = given.items.every(({ name, namespace }) => name.includes("__") || namespace === "t1");
      if (isEmpty) continue;
      const difference = whole - sumOf(parts.map(({ total }) => total));
      expect({ seed, isNear: difference < 2000n && difference > -2000n }).toEqual({ seed, isNear: true });
    }
  });
});

describe("what OpenCost's cases leave open", () => {
  const web = { name: "web", cluster: "eu", node: "thor-1", namespace: "shop", container: "minilm", cpuCost: 3 };
  const idle = { name: "eu/__idle__", cluster: "eu", node: "thor-1", cpuCost: 7 };

  test("a fleet that did nothing shows its idle, and fixed costs that nobody can pay", () => {
    const { totals } = answer({ items: [idle], options: { shareIdle: "weighted", sharedHourlyCosts: { dns: 0.5 } } });
    expect(totals).toEqual({ __idle__: 7, __shared__: 12 });
  });

  test("thormesh's names: tenant, model, agent and region, in any combination", () => {
    const aggregateBy = ["region", "agent", "tenant", "model"];
    expect(answer({ items: [web], aggregateBy })["totals"]).toEqual({ "eu/thor-1/shop/minilm": 3 });
    expect(answer({ items: [web], aggregateBy: ["all"] })["totals"]).toEqual({ "": 3 });
  });

  test.each([
    ["eq", "tenant", "shop", 3],
    ["not-eq", "tenant", "shop", 0],
    ["starts-with", "node", "thor", 3],
    ["contains", "label:env", "x", 0],
    ["eq", "label:env", "", 3],
  ])("a filter %s %s %p keeps %p", (op, field, value, total) => {
    expect(answer({ items: [web], options: { filter: [{ op, field, value }] } })).toMatchObject({
      ...{ total, filteredOut: 3 - total },
    });
  });

  test("work on nodes without a price is named, and the reason says so", () => {
    const found = answer({ items: [web], nodes: [], options: { idleByNode: true } });
    expect(found).toMatchObject({ withoutNode: ["eu/thor-1"], total: 3 });
    expect(found["reason"]).toBe(
      "1 row of 3.00, of 3.00 in all; no node's price for eu/thor-1: their idle is not known",
    );
  });

  test("the reason tells what was shared and left out", () => {
    const items = [web, idle, { ...web, namespace: "ops" }];
    const share = { op: "eq", field: "tenant", value: "ops" };
    const options = { shareIdle: "even", shareSplit: "even", share };
    expect(answer({ items, options })["reason"]).toBe(
      "1 row of 13.00, of 13.00 in all; idle shared evenly among its users; 6.50 shared evenly",
    );
  });
});

describe("bad input", () => {
  test.each([
    [{ aggregateBy: ["tennant"] }, /aggregateBy\.0: expected one of .*tenant.*got "tennant"/],
    [{ aggregateBy: ["label:"] }, /aggregateBy\.0: .*label:NAME.*got "label:"/],
    [{ options: { filter: { op: "eq", field: "x", value: "" } } }, /options\.filter\.field: .*got "x"/],
    [{ options: { share: [{ op: "eq", field: "x", value: "" }] } }, /options\.share\.0\.field: .*got "x"/],
    [{ options: { filter: { op: "like", field: "pod", value: "" } } }, /options\.filter/],
    [{ options: { sharedHourlyCosts: { dns: -1 } } }, /options\.sharedHourlyCosts\.dns: .*0/],
    [{ items: [{ name: "a", cpuCost: -1 }] }, /items\.0\.cpuCost: expected at least 0, got -1/],
    [{ items: [{ name: "a", pvCost: -1 }] }, /items\.0\.pvCost/],
    [
      { items: [{ name: "a", cpuCost: 1, totalCost: 2 }] },
      /items\.0\.totalCost: expected the sum of its costs, 1, got 2/,
    ],
    [{ items: [{ name: "__idle__" }], nodes: [] }, /items\.0: expected no row of idle beside nodes/],
    [
      { items: [{ name: "__idle__" }], options: { idleByNode: true } },
      /items\.0\.node: expected the node of this idle/,
    ],
    [{ nodes: [{ discount: 1.5 }] }, /nodes\.0\.discount/],
    [{ items: [{ nam: "a" }] }, /items\.0\.nam/],
  ])("%p", (given, message) => {
    expect(() => answer({ items: [], ...given })).toThrow(message);
  });
});
