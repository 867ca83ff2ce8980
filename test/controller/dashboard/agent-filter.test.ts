import { describe, expect, test } from "bun:test";
import {
  countValues,
  type FilterField,
  filterFields,
  maxFilterLength,
  meetsFilter,
  parseAgentFilter,
} from "#controller/dashboard/agent-filter.ts";
import { sortAgents, sortKeys } from "#controller/dashboard/sort-agents.ts";
import { aMinute, anAgent } from "../../fakes/builders.ts";
import { watchedFleet } from "../../fakes/watched-fleet.ts";

const nowMs = 1_000_000;

function fleetOf() {
  const minute = (agentId: string, requests: number) => [aMinute({ agentId, minuteStartMs: 900_000, requests })];
  const { watch, fleet } = watchedFleet([
    anAgent({
      ...{ agentId: "thor-1", nowMs, minutes: minute("thor-1", 60) },
      presence: { region: "hall 1", models: ["all-MiniLM", "ranker"] },
      birth: { region: "hall 1", tags: { rack: "r1", owner: 'the "press"' } },
    }),
    anAgent({
      ...{ agentId: "thor-2", nowMs, minutes: minute("thor-2", 600) },
      presence: { role: "standby", version: "0.2.0" },
      birth: { tags: { rack: "r10" } },
    }),
    anAgent({ agentId: "Orin-1", nowMs, presence: { status: "offline", region: "yard" }, birth: null }),
    anAgent({ agentId: "-dash", nowMs, presence: null, birth: null }),
  ]);
  watch.look();
  return fleet.agents().flatMap(({ agentId }) => watch.agents.get(agentId) ?? []);
}
const watched = fleetOf();

function matching(filter: string): string[] {
  const terms = parseAgentFilter(filter);
  if ("expected" in terms) throw new Error(terms.expected);
  return watched.filter((each) => meetsFilter(each, terms)).map(({ agent }) => agent.agentId);
}

describe("a filter of agents", () => {
  test.each([
    ["", ["-dash", "Orin-1", "thor-1", "thor-2"]],
    ["   ", ["-dash", "Orin-1", "thor-1", "thor-2"]],
    ["THOR", ["thor-1", "thor-2"]],
    ["orin", ["Orin-1"]],
    ["-thor", ["-dash", "Orin-1"]],
    ["thor 2", ["thor-2"]],
    ["state:serving", ["thor-1"]],
    ["state:offline", ["-dash", "Orin-1"]],
    ["-state:offline", ["thor-1", "thor-2"]],
    ['region:"hall 1"', ["thor-1"]],
    ["region~HALL", ["thor-1", "thor-2"]],
    ["region:hall", []],
    ["model:ranker", ["thor-1"]],
    ["model~mini", ["Orin-1", "thor-1", "thor-2"]],
    ["version:0.2.0", ["thor-2"]],
    ["board:Thor", ["thor-1", "thor-2"]],
    ["tag:rack", ["thor-1", "thor-2"]],
    ["tag:rack=r1", ["thor-1"]],
    ["tag~r1", ["thor-1", "thor-2"]],
    ['tag:"owner=the \\"press\\""', ["thor-1"]],
    ["note:no state:serving thor", ["thor-1"]],
  ])("%j", (filter, expected) => {
    expect(matching(filter)).toEqual(expected);
  });

  test.each([
    ["nofield:x", "fields: state, region"],
    ["region:", "fields: state, region"],
    ['region:"open', "words that ids contain"],
    ['a"b', "words that ids contain"],
    ["a b c d e f g h i", "at most 8 terms"],
    ["x".repeat(maxFilterLength + 1), "at most 256 characters"],
  ])("%j is refused with what was expected", (filter, expected) => {
    expect(parseAgentFilter(filter)).toEqual({ expected: expect.stringContaining(expected) });
  });

  test("values are offered with the number of agents, those first that begin with the text", () => {
    const values = (field: FilterField, part: string, limit = 10) => countValues(watched, field, part, limit);
    expect(values("state", "")).toEqual({
      values: [
        { value: "offline", agents: 2 },
        { value: "serving", agents: 1 },
        { value: "standby", agents: 1 },
      ],
      more: 0,
    });
    expect(values("tag", "R1").values.map(({ value }) => value)).toEqual(["rack=r1", "rack=r10"]);
    expect(values("region", "1").values.map(({ value }) => value)).toEqual(["hall 1", "hall-1"]);
    expect(values("model", "", 1)).toMatchObject({ values: [{ value: "mini", agents: 2 }], more: 2 });
    for (const field of filterFields) expect(values(field, "no such value").values).toEqual([]);
  });

  test("whatever is offered finds its agents", () => {
    for (const field of filterFields)
      for (const { value, agents } of countValues(watched, field, "", 100).values) {
        const text = `${field}:"${value.replaceAll(/["\\]/g, "\\$&")}"`;
        expect({ text, found: matching(text).length }).toEqual({ text, found: agents });
      }
  });
});

describe("sorted", () => {
  const ids = (key: (typeof sortKeys)[number], isDescending = false) =>
    sortAgents(watched, key, isDescending).map(({ agent }) => agent.agentId);

  test("by rate, unknown ones last either way", () => {
    expect(ids("qps")).toEqual(["thor-1", "thor-2", "-dash", "Orin-1"]);
    expect(ids("qps", true)).toEqual(["thor-2", "thor-1", "-dash", "Orin-1"]);
  });

  test("by id and by text", () => {
    expect(ids("agentId", true)).toEqual(["thor-2", "thor-1", "Orin-1", "-dash"]);
    expect(ids("region")).toEqual(["thor-1", "thor-2", "Orin-1", "-dash"]);
  });

  test.each(sortKeys)("by %s all agents are there, once", (key) => {
    expect(ids(key).sort()).toEqual(watched.map(({ agent }) => agent.agentId).sort());
  });
});
