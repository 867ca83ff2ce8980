import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import {
  CheapestFleetInput,
  checkCheapestFleetInput,
} from "#controller/scaling/reference/cheapest-fleet/cheapest-fleet-input.ts";
import { decideCheapestFleet } from "#controller/scaling/reference/cheapest-fleet/decide-cheapest-fleet.ts";
import { explainCheapestFleet } from "#controller/scaling/reference/cheapest-fleet/explain-cheapest-fleet.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import plannerCases from "../../../../fixtures/planner-cases.json";

const solver = await loadHighsSolver();
const read = (input: unknown) => Value.Parse(CheapestFleetInput, input);

test.each(plannerCases.cases.map((each) => [each.name, each] as const))("%s", (_name, planner) => {
  const answer = decideCheapestFleet(read(planner), solver);
  expect(answer).toMatchObject(planner.expect);
  expect(
    decideCheapestFleet(read(planner), { solve: () => ({ status: "none", reason: "broken", bound: null }) }),
  ).toMatchObject(planner.expect);
});

/** The least cost by counting up all fleets and trying all routes: slow, and written apart. */
function leastCost(input: CheapestFleetInput, most: number): number | null {
  const { types, slicesPerClass } = input;
  const classes = Object.entries(input.demand).filter(([, rate]) => rate > 0);
  let best: number | null = null;
  const routes = (index: number, left: readonly number[]): boolean => {
    const next = classes[index];
    if (next === undefined) return true;
    const [name, rate] = next;
    const spread = (type: number, slices: number, room: readonly number[]): boolean => {
      if (slices === 0) return routes(index + 1, room);
      if (type === types.length) return false;
      const carried = types[type]?.capacity[name] ?? null;
      for (let count = 0; count <= (carried === null ? 0 : slices); count += 1) {
        const load = carried === null ? 0 : (count * rate) / slicesPerClass / carried;
        if (load > room[type]! + 1e-9) break;
        if (spread(type + 1, slices - count, room.with(type, room[type]! - load))) return true;
      }
      return false;
    };
    return spread(0, slicesPerClass, left);
  };
  const count = (type: number, counts: readonly number[], cost: number) => {
    if (best !== null && cost >= best - 1e-12) return;
    if (type === types.length) {
      if (counts.reduce((sum, each) => sum + each, 0) >= input.minTotalInstances && routes(0, counts)) best = cost;
      return;
    }
    const highest = Math.min(types[type]?.limit ?? most, most);
    for (let each = 0; each <= highest; each += 1)
      count(type + 1, [...counts, each], cost + each * types[type]!.costPerHour);
  };
  count(0, [], 0);
  return best;
}

test("60 random ones cost what trying everything costs", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seededRandom(seed);
    const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
    const classes = ["embed", "chat"].slice(0, whole(1, 2));
    const input = read({
      types: ["a", "b", "c"].slice(0, whole(2, 3)).map((name) => ({
        name,
        costPerHour: whole(1, 60) / 10,
        limit: random() < 0.4 ? whole(0, 3) : null,
        capacity: Object.fromEntries(classes.map((each) => [each, random() < 0.2 ? null : whole(2, 40)])),
      })),
      demand: Object.fromEntries(classes.map((each) => [each, whole(0, 50)])),
      slicesPerClass: whole(1, 4),
      minTotalInstances: whole(0, 3),
    });
    const answer = decideCheapestFleet(input, solver);
    const least = leastCost(input, 12);
    if (answer.costPerHour !== null && answer.fleets.some((fleet) => Object.values(fleet).some((each) => each > 12)))
      continue;
    expect({ seed, cost: answer.costPerHour }).toEqual({
      seed,
      cost: least === null ? null : Number(least.toPrecision(12)),
    });
  }
});

describe("what can't be", () => {
  test.each([
    [
      "a class that no type serves",
      { chat: null },
      null,
      { rule: "unserved", name: "chat", rate: 10 },
      "demand.chat: no type can serve it; 10 requests/s are left",
    ],
    [
      "limits that are too low",
      { chat: 4 },
      2,
      { rule: "limits", over: [{ name: "a", needed: 3, limit: 2 }] },
      "types: the limits are too low; the cheapest fleet without them needs a 3 of 2 (1 more)",
    ],
  ])("%s is named", (_name, capacity, limit, obstacle, reason) => {
    const input = read({
      types: [{ name: "a", costPerHour: 1, limit, capacity }],
      demand: { chat: 10 },
      slicesPerClass: 2,
    });
    const answer = decideCheapestFleet(input, solver);
    expect(answer).toMatchObject({ feasible: false, costPerHour: null, fleets: [] });
    expect(answer.obstacles as object[]).toEqual([obstacle]);
    expect(explainCheapestFleet(answer)).toEqual([reason]);
  });

  test("only the types whose limits are too low are named", () => {
    const types = [
      { name: "small", costPerHour: 1, limit: 1, capacity: { chat: 4 } },
      { name: "large", costPerHour: 100, limit: 0, capacity: { chat: 1 } },
    ];
    const answer = decideCheapestFleet(read({ types, demand: { chat: 10 }, slicesPerClass: 2 }), solver);
    expect(answer.obstacles as object[]).toEqual([{ rule: "limits", over: [{ name: "small", needed: 3, limit: 1 }] }]);
  });

  test("a name used twice is refused", () => {
    const type = { name: "a", costPerHour: 1, limit: null, capacity: {} };
    const input = read({ types: [type, type], demand: {}, slicesPerClass: 1 });
    expect(checkCheapestFleetInput(input)).toEqual(['types.1.name: expected a name used once, got "a" again']);
  });
});

test("too many routes to look at: the solver's fleet alone", () => {
  const classes = ["a", "b", "c", "d", "e", "f"];
  const input = read({
    types: ["x", "y", "z", "w"].map((name) => ({
      name,
      costPerHour: 1,
      limit: null,
      capacity: Object.fromEntries(classes.map((each) => [each, 10])),
    })),
    demand: Object.fromEntries(classes.map((each) => [each, 33])),
    slicesPerClass: 20,
  });
  const answer = decideCheapestFleet(input, solver);
  expect(answer).toMatchObject({ feasible: true, costPerHour: 20, routingCount: null, obstacles: [] });
  expect(explainCheapestFleet(answer)[0]).toEndWith(" for 20 an hour; not every combination was tried");
});
