import { expect, test } from "bun:test";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import { observeBeat } from "#controller/fleet/beats.ts";
import { meanMeasuredQps, observeCapacities } from "#controller/scaling/slo/observe-capacity.ts";
import type { CapacityEstimate } from "#protocol/messages.ts";
import { aBeat, aBirth, aMinute, aModel, anAgent, aTraffic } from "../../../fakes/builders.ts";

const nowMs = 600_000;
const estimate = (given: Partial<CapacityEstimate> = {}): CapacityEstimate => ({
  ...{ model: "mini", modeName: "MAXN", qps: 17, tokensPerText: 20, confidence: 1, source: "saturated" },
  ...given,
});
const measured = (agentId: string, given: Partial<CapacityEstimate> = {}): AgentState => {
  const beat = aBeat({ agentId, sentAtMs: nowMs, model: { capacity: estimate(given) } });
  return observeBeat(anAgent({ agentId, nowMs }), beat, nowMs)!;
};
const qpsOf = (...agents: AgentState[]) =>
  [...observeCapacities(agents, 300, nowMs)].map(([agentId, { qps }]) => `${agentId} ${Math.round(qps * 100) / 100}`);
const noProfile = { birth: { board: { ...aBirth().board, powerModes: [] } } };

test.each<[string, AgentState[], string[]]>([
  ["nothing is known: the usual capacity", [anAgent({ birth: null })], ["thor-1 300"]],
  ["a board without modes", [anAgent(noProfile)], ["thor-1 300"]],
  ["a profile", [anAgent()], ["thor-1 350"]],
  ["measured beyond doubt", [measured("a")], ["a 17"]],
  ["measured at less than a text a second", [measured("a", { qps: 0.5 })], ["a 0.5"]],
  ["half believed", [measured("a", { confidence: 0.4 })], [`a ${350 * 0.6 + 17 * 0.4}`]],
  ["a guess is no measurement", [measured("a", { confidence: 0 })], ["a 350"]],
  ["nor is what the profile says", [measured("a", { source: "profile" })], ["a 350"]],
  ["measured in a lower mode: more in the highest, in proportion", [measured("a", { modeName: "70W" })], ["a 29.75"]],
  ["a mode that no list has: as it is", [measured("a", { modeName: "?" })], ["a 17"]],
  ["a board of the same kind that has not measured", [measured("a"), anAgent({ agentId: "b" })], ["a 17", "b 17"]],
  [
    "not by a measurement that is not sure itself",
    [measured("a", { confidence: 0.4 }), anAgent({ agentId: "b" })],
    ["a 216.8", "b 350"],
  ],
  [
    "by one that is just sure enough",
    [measured("a", { confidence: 0.5 }), anAgent({ agentId: "b" })],
    ["a 17", "b 17"],
  ],
  [
    "nor by another kind of board",
    [measured("a"), anAgent({ agentId: "b", birth: { board: { ...aBirth().board, name: "Orin" } } })],
    ["a 17", "b 350"],
  ],
  [
    "its own half-sure figure beside that of its kind",
    [measured("a"), measured("b", { qps: 40, confidence: 0.5 }), measured("c", { qps: 17 })],
    ["a 17", "b 28.5", "c 17"],
  ],
])("%s", (_name, agents, expected) => {
  expect(qpsOf(...agents)).toEqual(expected);
});

test("an agent that states what it measured still tells its profile, and what boards of its kind may carry", () => {
  const powerModes = [{ ...aBirth().board.powerModes[0]!, capacityQps: 17, profileQps: 350 }];
  const birth = { ...aBirth({ agentId: "a" }), board: { ...aBirth().board, powerModes } };
  const stated = { ...measured("a"), birth };
  expect(qpsOf(stated, anAgent({ agentId: "b" }))).toEqual(["a 17", "b 17"]);
  expect(observeCapacities([stated], 300, nowMs).get("a")?.profileQps).toBe(350);
});

test("without a profile the measurement counts, however sure", () => {
  const agent = observeBeat(
    anAgent({ nowMs, ...noProfile }),
    aBeat({ sentAtMs: nowMs, model: { capacity: estimate({ confidence: 0.1 }) } }),
    nowMs,
  )!;
  expect(observeCapacities([agent], 300, nowMs).get("thor-1")).toEqual({
    ...{ qps: 17, profileQps: null, measuredQps: 17, confidence: 0.1 },
  });
});

test("of several models a text of each takes its share of a second, as they are asked for", () => {
  const models = [aModel("mini", 300), aModel("large", 100), aModel("idle", 0)];
  const capacity = [estimate({ qps: 30 }), estimate({ model: "large", qps: 10 }), estimate({ model: "idle", qps: 1 })];
  const minute = { ...aMinute(), traffic: aTraffic({ minuteStartMs: 60_000, models }), capacity };
  // 300 / 30 s + 100 / 10 s = 20 s for 400 texts.
  expect(qpsOf(anAgent({ minutes: [minute] }))).toEqual(["thor-1 20"]);
  const single = { ...minute, traffic: aTraffic({ minuteStartMs: 60_000, models: models.slice(0, 1) }) };
  expect(qpsOf(anAgent({ minutes: [single] }))).toEqual(["thor-1 30"]);
  const idle = { ...minute, traffic: aTraffic({ minuteStartMs: 60_000 }), capacity: capacity.slice(0, 2) };
  // Both count the same: 2 texts in 1 / 30 + 1 / 10 s.
  expect(qpsOf(anAgent({ minutes: [idle] }))).toEqual(["thor-1 15"]);
});

test("beats come before minutes, as long as they are new", () => {
  const minute = { ...aMinute(), capacity: [estimate({ qps: 100 })] };
  const agent = observeBeat(
    anAgent({ nowMs, minutes: [minute] }),
    aBeat({ sentAtMs: nowMs, model: { capacity: estimate() } }),
    nowMs,
  )!;
  expect(qpsOf(agent)).toEqual(["thor-1 17"]);
  expect([...observeCapacities([agent], 300, nowMs + 60_001)][0]?.[1].qps).toBe(100);
});

test.each<[string, { measuredQps?: number | null; capacityConfidence?: number }[], number | null]>([
  ["no agents", [], null],
  ["none has measured", [{}, { measuredQps: null }], null],
  ["not sure", [{ measuredQps: 17, capacityConfidence: 0.49 }], null],
  ["two are sure", [{ measuredQps: 10, capacityConfidence: 0.5 }, { measuredQps: 20, capacityConfidence: 1 }, {}], 15],
])("the mean of what was measured: %s", (_name, agents, expected) => {
  expect(meanMeasuredQps(agents)).toBe(expected);
});
