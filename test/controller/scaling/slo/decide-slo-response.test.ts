import { describe, expect, test } from "bun:test";
import {
  type AgentService,
  decideSloResponse,
  noMemory,
  type ServingAgent,
  type SloMemory,
} from "#controller/scaling/slo/decide-slo-response.ts";

const nowMs = 1_000_000;
const refusal = { rule: "refused", model: "mini", requests: 9 } as const;
const wait = (p95Ms: number) => ({ rule: "slow", model: "mini", p95Ms, targetMs: 1000 }) as const;

const service = (given: Partial<AgentService> = {}): AgentService => ({
  ...{ agentId: "a", windowS: 10, requestsPerS: 60, refusedPerS: 0, failedPerS: 0, demandQps: 60, servedQps: 60 },
  workQps: given.demandQps ?? 60,
  misses: [],
  ...given,
});
const agent = (given: Partial<ServingAgent> & { felt?: Partial<AgentService> | null } = {}): ServingAgent => {
  const { felt = {}, agentId = "a", ...rest } = given;
  const told = felt === null ? null : service({ agentId, ...felt });
  return { agentId, capacityQps: 336, serves: true, service: told, ...rest };
};
const decide = (agents: readonly ServingAgent[], memory: SloMemory = noMemory, atMs = nowMs) =>
  decideSloResponse(agents, 0.8, memory, atMs);

describe("what is to be carried by what users felt", () => {
  test.each<[string, ServingAgent[], string, number | null]>([
    ["no agents", [], "kept", null],
    ["none has told", [agent({ felt: null })], "kept", null],
    ["the SLO is met", [agent()], "kept", 0],
    [
      "refusals where the capacity is known: what was offered",
      [agent({ capacityQps: 17, felt: { servedQps: 17, misses: [refusal] } })],
      "refused",
      60,
    ],
    // Believed: 336 × 0.8 = 268.8. Offered and served are 2 to 1.
    [
      "refusals that the belief can't explain: in proportion to offered and served",
      [agent({ felt: { demandQps: 30, servedQps: 20, misses: [refusal] } })],
      "refused",
      268.8 * 1.5,
    ],
    ["by ×2 at most", [agent({ felt: { demandQps: 60, servedQps: 17, misses: [refusal] } })], "refused", 537.6],
    ["nothing served", [agent({ felt: { servedQps: 0, misses: [refusal] } })], "refused", 537.6],
    ["by a quarter at least", [agent({ felt: { misses: [refusal] } })], "refused", 336],
    ["slow: in proportion to the target", [agent({ felt: { misses: [wait(1600)] } })], "slow", 268.8 * 1.6],
    ["very slow: by ×2 at most", [agent({ felt: { misses: [wait(7000)] } })], "slow", 537.6],
    [
      "failures: more capacity would not help",
      [agent({ felt: { misses: [{ rule: "failed", model: "mini", requests: 3 }] } })],
      "failed",
      60,
    ],
    ["refusals are worse than waiting", [agent({ felt: { misses: [wait(7000), refusal] } })], "refused", 537.6],
    [
      "another one is about to serve: that is waited for",
      [agent({ felt: { misses: [refusal] } }), agent({ agentId: "b", serves: false, felt: null })],
      "refused",
      60,
    ],
  ])("%s", (_name, agents, rule, demandQps) => {
    const { response } = decide(agents);
    expect(response.rule as string).toBe(rule);
    if (demandQps === null) expect(response.demandQps).toBeNull();
    else expect(response.demandQps).toBeCloseTo(demandQps, 6);
  });

  test("those that do not serve yet, and those in trouble, are named", () => {
    const { response } = decide([agent({ felt: { misses: [refusal] } }), agent({ agentId: "b", serves: false })]);
    expect(response.starting).toEqual(["b"]);
    expect(response.agents.map(({ agentId }) => agentId)).toEqual(["a"]);
    expect(response.computing).toEqual(["a"]);
  });
});

test.each<[string, Partial<AgentService> | null, string[]]>([
  ["asked as much", {}, []],
  ["asked a tenth of its share", { demandQps: 3.2 }, []],
  ["hardly asked", { demandQps: 3 }, ["b"]],
  ["not asked at all", { demandQps: 0, servedQps: 0, requestsPerS: 0 }, ["b"]],
  ["silent", null, []],
])("beside one that refuses, an agent that is %s", (_name, felt, unused) => {
  const agents = [agent({ felt: { misses: [refusal] } }), agent({ agentId: "b", felt })];
  const { response, memory } = decide(agents);
  expect(response.unused).toEqual(unused);
  // More agents would not be asked either.
  expect(memory.ratio > 1).toBe(unused.length === 0);
  expect(decide([agent(), agent({ agentId: "b", felt })]).response.unused).toEqual([]);
});

describe("at an entry, which passes requests on to those that serve", () => {
  const behind = (agentId: string, workQps: number) =>
    agent({ agentId, felt: { requestsPerS: 0, demandQps: 0, servedQps: 0, workQps } });
  const entry = service({ agentId: "entry", demandQps: 100, servedQps: 80, workQps: 0, misses: [refusal] });
  const decideWith = (agents: readonly ServingAgent[]) => decideSloResponse(agents, 0.8, noMemory, nowMs, [entry]);

  test("what users feel there counts, and more capacity is needed", () => {
    const { response, memory } = decideWith([behind("a", 40), behind("b", 40)]);
    expect(response).toMatchObject({ rule: "refused", starting: [], unused: [] });
    expect(response.agents.map(({ agentId }) => agentId)).toEqual(["entry"]);
    // It computes nothing itself: those that do hold their most capable mode.
    expect(response.computing).toEqual(["a", "b"]);
    expect(memory).toMatchObject({ ratio: 1.25, agentIds: ["a", "b"] });
    expect(response.demandQps).toBeCloseTo(1.25 * 2 * 336 * 0.8, 6);
  });

  test("an agent that computes nothing of it is hardly asked, and more of them would help no more", () => {
    const { response, memory } = decideWith([behind("a", 80), behind("b", 4)]);
    expect(response.unused).toEqual(["b"]);
    expect(memory.ratio).toBe(1);
  });
});

describe("what was found wanting", () => {
  const drowning = agent({ felt: { misses: [refusal] } });
  const first = decide([drowning]).memory;

  test("a step is given half a minute to show", () => {
    expect(first).toEqual({ ratio: 1.25, agentIds: ["a"], raisedAtMs: nowMs, decayedAtMs: nowMs });
    const both = [drowning, agent({ agentId: "b" })];
    expect(decide(both, first, nowMs + 29_999).memory).toEqual({ ...first, decayedAtMs: nowMs + 29_999 });
    expect(decide(both, first, nowMs + 30_000).memory).toMatchObject({ agentIds: ["a", "b"], ratio: 1.25 });
  });

  test("no further step while what it asked for is not on", () => {
    expect(decide([drowning], first, nowMs + 60_000).memory.raisedAtMs).toBe(nowMs);
  });

  test("it follows what is believed of these agents later", () => {
    const known = agent({ capacityQps: 17, felt: { demandQps: 10, misses: [refusal] } });
    expect(decide([known], first, nowMs + 1000).response.demandQps).toBeCloseTo(17 * 0.8 * 1.25, 6);
  });

  test("half of the excess goes with each minute in which the SLO is met", () => {
    const wide = { ...first, ratio: 2 };
    const after = (ms: number) => decide([agent()], wide, nowMs + ms).memory.ratio;
    expect([0, 59_999, 60_000, 120_000, 240_000].map(after)).toEqual([2, 2, 1.5, 1.25, 1.0625]);
    expect(decide([agent()], wide, nowMs + 300_000).memory).toEqual(noMemory);
    // Minutes that have been counted are not counted again.
    const once = decide([agent()], wide, nowMs + 90_000).memory;
    expect(once).toMatchObject({ ratio: 1.5, decayedAtMs: nowMs + 60_000 });
    expect(decide([agent()], once, nowMs + 120_000).memory.ratio).toBe(1.25);
  });

  test("agents that have gone need nothing", () => {
    expect(decide([agent({ agentId: "b" })], first).response.demandQps).toBe(0);
  });
});
