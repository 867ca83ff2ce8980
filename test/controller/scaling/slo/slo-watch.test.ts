import { expect, test } from "bun:test";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import { observeBeat } from "#controller/fleet/beats.ts";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import { SloWatch } from "#controller/scaling/slo/slo-watch.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { aBeat, anAgent } from "../../../fakes/builders.ts";

const nowMs = 600_000;
const config = parseConfig(SloConfig, {}, "test");
const candidate = (agentId: string, changes: Partial<AgentCandidate> = {}): AgentCandidate => ({
  ...{ agentId, unavailable: null, active: true, capacityQps: 100, energyUsdPerRequest: null, wattsPerQps: null },
  overrideRole: null,
  ...changes,
});
const beating = (agentId: string, model: Parameters<typeof aBeat>[0]) =>
  observeBeat(anAgent({ agentId, nowMs }), aBeat({ agentId, sentAtMs: nowMs, ...model }), nowMs) as AgentState;
const refused = [{ cause: "queue", requests: 50, texts: 50, tokens: 500 } as const];

/** A board that computes for others, and an agent without a model at which all requests enter. */
const board = beating("thor-1", { model: { requests: 0, texts: 0, p95Ms: null, peerTexts: 100 } });
const entryAgent = (model: object) => beating("entry", { role: "standby", model: { sentTexts: 100, ...model } });
const observe = (entry: AgentState) =>
  new SloWatch(config, 0.8).observe(
    [board, entry],
    [candidate("thor-1"), candidate("entry", { active: false, unavailable: "no model is loaded" })],
    new Map(),
    nowMs,
  );

test("users whose requests enter at an agent that does not serve are heard as well", () => {
  const { response, burn, input, missed } = observe(entryAgent({ refused }));
  expect(response.rule).toBe("refused");
  expect(response.unused).toEqual([]);
  expect(input?.demandQps).toBeGreaterThan(15);
  expect(burn).toBeCloseTo(50 / 150 / 0.001, 6);
  expect(missed).toStartWith("users were refused 5 of 15 requests/s in the last 10 s");
});

test("when they get what they are promised, nothing follows; nor of an agent that was asked nothing", () => {
  expect(observe(entryAgent({})).response).toMatchObject({ rule: "kept", demandQps: 0 });
  expect(observe(entryAgent({ requests: 0, texts: 0, sentTexts: 0, p95Ms: null })).missed).toBeNull();
});
