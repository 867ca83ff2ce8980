import { expect, test } from "bun:test";
import { type FilterTerm, parseAgentFilter } from "#controller/dashboard/agent-filter.ts";
import { AgentSearch } from "#controller/dashboard/agent-search.ts";
import { anAgent } from "../../fakes/builders.ts";
import { watchedFleet } from "../../fakes/watched-fleet.ts";

const nowMs = 1_000_000;
const byId = { key: "agentId", isDescending: false } as const;

function setUp() {
  const { fleet, watch } = watchedFleet(["a", "b"].map((agentId) => anAgent({ agentId, nowMs })));
  const at = { monotonicMs: 0, looks: 0 };
  const counted = {
    get agents() {
      return watch.agents;
    },
    look() {
      at.looks += 1;
      return watch.look();
    },
  };
  const search = new AgentSearch(counted, fleet.agents, () => at.monotonicMs);
  const find = (filter: string, order: Parameters<AgentSearch["find"]>[2] = byId) =>
    search.find(filter, parseAgentFilter(filter) as readonly FilterTerm[], order);
  return { fleet, at, find };
}

test("many that ask within two seconds look once; then again", () => {
  const { fleet, at, find } = setUp();
  for (let each = 0; each < 50; each += 1) expect(find("state:serving")).toEqual(["a", "b"]);
  expect(at.looks).toBe(1);
  fleet.put(anAgent({ agentId: "c", nowMs }));
  at.monotonicMs = 1_999;
  expect(find("state:serving")).toEqual(["a", "b"]);
  at.monotonicMs = 2_000;
  expect(find("state:serving")).toEqual(["a", "b", "c"]);
  expect(at.looks).toBe(2);
});

test("each filter and order is a list of its own", () => {
  const { find } = setUp();
  expect(find("")).toEqual(["a", "b"]);
  expect(find("", { key: "agentId", isDescending: true })).toEqual(["b", "a"]);
  expect(find("state:offline")).toEqual([]);
  expect(find("b")).toEqual(["b"]);
});
