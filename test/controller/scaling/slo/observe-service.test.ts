import { describe, expect, test } from "bun:test";
import type { AgentState } from "#controller/fleet/agent-state.ts";
import { observeBeat } from "#controller/fleet/beats.ts";
import { newestShowsTrouble, observeService } from "#controller/scaling/slo/observe-service.ts";
import { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { RefusedRequests } from "#protocol/messages.ts";
import { aBeat, aMinute, aModel, anAgent, aTraffic } from "../../../fakes/builders.ts";

const nowMs = 600_000;
const config = parseConfig(SloConfig, {}, "test");
const refused = (cause: RefusedRequests[number]["cause"], requests: number) => [
  { cause, requests, texts: requests, tokens: requests * 10 },
];

/** An agent whose beats ended so many seconds ago. */
function beating(...beats: (Parameters<typeof aBeat>[0] & { readonly agoS: number })[]): AgentState {
  let state = anAgent({ nowMs });
  for (const { agoS, ...given } of beats) {
    const atMs = nowMs - agoS * 1000;
    state = observeBeat(state, aBeat({ sentAtMs: atMs, ...given }), atMs) ?? state;
  }
  return state;
}

describe("what users of an agent felt", () => {
  test("by its beats, as rates", () => {
    const flood = { requests: 170, texts: 340, cachedTexts: 40, refused: refused("queue", 430) };
    expect(observeService(beating({ agoS: 3, model: flood }), config, nowMs)).toEqual({
      ...{ agentId: "thor-1", windowS: 10, requestsPerS: 60, refusedPerS: 43, failedPerS: 0 },
      ...{ demandQps: 73, servedQps: 30, workQps: 73 },
      misses: [{ rule: "refused", model: "mini", requests: 430 }],
    });
  });

  test("the stretch with the trouble is shown for as long as the window, the highest demand counts", () => {
    const agent = beating(
      { agoS: 20, model: { refused: refused("deadline", 50) } },
      { agoS: 10, model: { texts: 300 } },
    );
    expect(observeService(agent, config, nowMs)).toMatchObject({ refusedPerS: 5, requestsPerS: 15, demandQps: 30 });
    expect(newestShowsTrouble(agent, config, nowMs)).toBe(false);
    expect(observeService(agent, config, nowMs + 10_001)).toMatchObject({ misses: [], refusedPerS: 0 });
  });

  test("a beat makes the minutes old; when none comes they serve", () => {
    const minute = aMinute({ minuteStartMs: nowMs - 60_000 });
    const drowned = { ...minute, traffic: { ...minute.traffic, rejected: 300 } };
    const agent = anAgent({ nowMs, minutes: [drowned] });
    expect(observeService(agent, config, nowMs)).toMatchObject({ windowS: 60, requestsPerS: 15, refusedPerS: 5 });
    const beat = observeBeat(agent, aBeat({ sentAtMs: nowMs }), nowMs)!;
    expect(observeService(beat, config, nowMs)?.misses).toEqual([]);
    expect(observeService(agent, config, nowMs + 90_001)).toBeNull();
    expect(observeService(anAgent(), config, nowMs)).toBeNull();
  });

  test.each<[string, Partial<Parameters<typeof aMinute>[0]>, object]>([
    ["none answered: a text each", { traffic: aTraffic({ minuteStartMs: nowMs, rejected: 60 }) }, { demandQps: 1 }],
    ["errors", { traffic: aTraffic({ minuteStartMs: nowMs, errors: 60 }) }, { failedPerS: 1, refusedPerS: 0 }],
    [
      "one on standby, which refuses by its role",
      { role: "standby", traffic: aTraffic({ minuteStartMs: nowMs, rejected: 60 }) },
      { refusedPerS: 0, demandQps: 0 },
    ],
    [
      "one that tells of which model: nothing counts twice",
      {
        traffic: aTraffic({
          ...{ minuteStartMs: nowMs, rejected: 60 },
          models: [{ ...aModel("mini", 60), refused: refused("queue", 60) }],
        }),
      },
      { refusedPerS: 1, requestsPerS: 2 },
    ],
  ])("a minute of %s", (_name, given, expected) => {
    const minute = { ...aMinute({ minuteStartMs: nowMs }), ...given };
    expect(observeService(anAgent({ nowMs, minutes: [minute] }), config, nowMs)).toMatchObject(expected);
  });
});

describe("trouble", () => {
  test.each<[string, Parameters<typeof aBeat>[0], string[]]>([
    ["all answered in time", {}, []],
    ["the queue was full", { model: { refused: refused("queue", 1) } }, ["refused"]],
    ["no answer in time", { model: { refused: refused("deadline", 1) } }, ["refused"]],
    ["a caller's quota is no trouble of the fleet", { model: { refused: refused("rate-limit", 99) } }, []],
    ["a standby agent's refusals are answered by a peer", { model: { refused: refused("standby", 99) } }, []],
    ["one failure of a hundred, at three nines", { model: { refused: refused("error", 1) } }, ["failed"]],
    ["one failure of ten thousand", { model: { requests: 9999, texts: 9999, refused: refused("error", 1) } }, []],
    ["slow", { model: { p95Ms: 1001 } }, ["slow"]],
    ["just in time", { model: { p95Ms: 1000 } }, []],
    ["slow, of nineteen requests", { model: { requests: 19, texts: 19, p95Ms: 9000 } }, []],
    ["no requests", { model: { requests: 0, texts: 0, p95Ms: null } }, []],
    ["no models", { models: [] }, []],
  ])("%s", (_name, given, rules) => {
    const agent = beating({ agoS: 0, ...given });
    expect(observeService(agent, config, nowMs)?.misses.map(({ rule }) => rule as string)).toEqual(rules);
    expect(newestShowsTrouble(agent, config, nowMs)).toBe(rules.length > 0);
  });

  test("a model's own objective comes before the fleet's", () => {
    const slow = beating({ agoS: 0, model: { p95Ms: 1500, refused: refused("error", 1) } });
    const rules = (models: object, p95Ms: number | null = 1000) =>
      observeService(slow, parseConfig(SloConfig, { p95Ms, models }, "test"), nowMs)?.misses.map(({ rule }) => rule);
    expect(rules({ mini: { availability: 0.9 } })).toEqual(["slow"]);
    expect(rules({ mini: { availability: 0.9, p95Ms: 2000 } })).toEqual([]);
    expect(rules({ mini: { availability: 0.9, p95Ms: null } })).toEqual([]);
    expect(rules({ other: { availability: 0.9 } }, null)).toEqual(["failed"]);
  });
});
