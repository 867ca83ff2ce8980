import { describe, expect, test } from "bun:test";
import {
  type AgentState,
  availabilityOf,
  observeBirth,
  observeMinute,
  observePresence,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import {
  intendedRole,
  type ObservationLimits,
  observeFleet,
  unavailability,
} from "#controller/scaling/active-agents/observe-fleet.ts";
import type { Override } from "#controller/store/store.ts";
import { minuteMs } from "#platform/time.ts";
import type { AgentRole, Desired, MinuteData } from "#protocol/messages.ts";
import { aBirth, aDesired, aMinute, aPresence, aReported } from "../../../fakes/builders.ts";

const hour = 3_600_000;
const staleAfterMs = 180_000;
const asleep = { asleep: { mac: null } };

function agent(presence: object, agentId = "thor-1", heardMs = 0) {
  const observed = observePresence(
    unknownAgent(agentId, heardMs),
    aPresence({ agentId, models: ["m"], ...presence }),
    heardMs,
  );
  if (observed === null) throw new Error("the presence was ignored");
  return observed;
}

test("who sleeps is silent for as long as it likes and still there; who is awake is not", () => {
  expect(availabilityOf(agent({ role: "standby", ...asleep }), 10 * hour, staleAfterMs)).toEqual({ online: true });
  expect(availabilityOf(agent({ role: "standby" }), 10 * hour, staleAfterMs).online).toBe(false);
});

test.each([
  ["sleeps and may sleep on", "standby", asleep, 10 * hour, null],
  ["has just been wanted", "active", asleep, 9 * hour + 300_000, null],
  ["was wanted and does not wake", "active", asleep, 9 * hour + 300_001, "sleeps, and was not woken"],
  ["is awake", "active", {}, 60_000, null],
  ["has no model", "active", { models: [] }, 60_000, "no model is loaded"],
  ["is leaving of its own accord", "active", { role: "draining" }, 60_000, "draining"],
  ["drains because it was told to", "draining", { role: "draining" }, 60_000, null],
  ["is offline", "active", { status: "offline" }, 60_000, "offline"],
] as [string, AgentRole, object, number, string | null][])("%s", (_name, role, presence, nowMs, reason) => {
  const desired = aDesired({ role, issuedAtMs: 9 * hour });
  expect(unavailability(agent({ role: "standby", ...presence }), desired, nowMs, staleAfterMs)).toBe(reason);
});

test("the document says which role is meant, and the agent itself where there is none", () => {
  expect(intendedRole(agent({ role: "active" }), aDesired({ role: "standby" }))).toBe("standby");
  expect(intendedRole(agent({ role: "active" }), undefined)).toBe("active");
  expect(intendedRole(unknownAgent("new", 0), undefined)).toBeNull();
});

describe("the fleet as a decision sees it", () => {
  const nowMs = 100 * minuteMs + 10_000;
  const newestMs = 99 * minuteMs;
  const limits = {
    ...{ staleAfterMs, maxDataAgeMs: 180_000, lostForMs: 600_000, liveWindowMinutes: 1, horizonMinutes: 3 },
    ...{ capacityPerReplicaQps: 350, tariffUsdPerKwh: 0.2 },
  };
  const withMinute = (state: AgentState, given: Parameters<typeof aMinute>[0] = {}) =>
    observeMinute(
      state,
      aMinute({ agentId: state.agentId, minuteStartMs: newestMs, seq: state.lastSeq + 1, ...given }),
      state.lastHeardMs,
    ).state;
  const present = (agentId: string, given: object = {}, heardMs = nowMs) => agent(given, agentId, heardMs);
  const serving = (agentId: string, given: Parameters<typeof aMinute>[0] = {}) => withMinute(present(agentId), given);
  const forecastOf = (qps: number[], stepMs = minuteMs): MinuteData["forecast"] => ({
    ...{ madeAtMs: nowMs, model: "m", reason: "", stepMs, qps },
  });
  const look = (
    agents: readonly AgentState[],
    given: {
      desired?: Record<string, Desired>;
      overrides?: Record<string, Override>;
      limits?: Partial<ObservationLimits>;
    } = {},
    ...more: [watch?: Parameters<typeof observeFleet>[5], machines?: Parameters<typeof observeFleet>[6]]
  ) =>
    observeFleet(
      agents,
      new Map(Object.entries(given.desired ?? {})),
      new Map(Object.entries(given.overrides ?? {})),
      { ...limits, ...given.limits },
      nowMs,
      ...more,
    );
  const candidateOf = (...given: Parameters<typeof look>) => look(...given).candidates[0]!;

  test("a request's electricity is the top mode's watts per rate, at the agent's own tariff or the fleet's", () => {
    const born = (tariffUsdPerKwh: number | null) =>
      observeBirth(
        serving("a"),
        aBirth({ agentId: "a", prices: { tariffUsdPerKwh, amortisationUsdPerHour: null } }),
        nowMs,
      );
    // 100 W carry 350 a second.
    const joules = 100 / 350;
    const of = (tariffUsdPerKwh: number | null) => candidateOf([born(tariffUsdPerKwh)]);
    expect(of(null)).toMatchObject({ capacityQps: 350, wattsPerQps: joules });
    expect(of(null).energyUsdPerRequest).toBeCloseTo((joules / 3_600_000) * 0.2, 15);
    expect(of(0.4).energyUsdPerRequest).toBeCloseTo((joules / 3_600_000) * 0.4, 15);
    // By a catalogue, at the present hour.
    const tariffOf = (agentId: string, atMs: number) => (agentId === "a" && atMs === nowMs ? 0.7 : 0);
    const priced = candidateOf([born(null)], { limits: { tariffOf } });
    expect(priced.energyUsdPerRequest).toBeCloseTo((joules / 3_600_000) * 0.7, 15);
  });

  test.each([
    ["no mode", [], 350, null],
    ["a mode without figures", [{ id: 0, name: "X", capacityQps: null, busyWatts: 90, idleWatts: null }], 350, null],
    ["no watts", [{ id: 0, name: "X", capacityQps: 70, busyWatts: null, idleWatts: null }], 70, null],
    ["no capacity at all", [{ id: 0, name: "X", capacityQps: 0, busyWatts: 90, idleWatts: 9 }], 0, null],
  ])("a board with %s has the usual capacity and no price of a request", (_name, powerModes, capacityQps, watts) => {
    const birth = aBirth({ agentId: "a", board: { kind: "simulated", name: "X", powerModes } });
    const state = observeBirth(serving("a"), birth, nowMs);
    expect(candidateOf([state])).toMatchObject({ capacityQps, wattsPerQps: watts, energyUsdPerRequest: watts });
  });

  test("a small board has a price as well, and the first mode is the most capable", () => {
    const powerModes = [
      { id: 0, name: "X", capacityQps: 0.5, busyWatts: 9, idleWatts: null },
      { id: 1, name: "Y", capacityQps: 0.1, busyWatts: 9, idleWatts: null },
    ];
    const birth = aBirth({ agentId: "a", board: { kind: "simulated", name: "X", powerModes } });
    expect(candidateOf([observeBirth(serving("a"), birth, nowMs)])).toMatchObject({
      capacityQps: 0.5,
      wattsPerQps: 18,
    });
  });

  test("the document's role counts, the operator's role goes with it", () => {
    const [state] = [serving("a")];
    expect(candidateOf([state])).toMatchObject({ agentId: "a", active: true, unavailable: null, overrideRole: null });
    expect(candidateOf([state], { desired: { a: aDesired({ role: "standby" }) } }).active).toBe(false);
    const override: Override = {
      ...{ agentId: "a", role: "standby", powerMode: null, powerModeCap: null, createdAtMs: 0, expiresAtMs: 1e12 },
    };
    expect(candidateOf([state], { overrides: { a: override } }).overrideRole).toBe("standby");
    expect(candidateOf([state], { overrides: { b: override } }).overrideRole).toBeNull();
  });

  test("an agent that did not do as it was told is not counted on; what its presence says comes first", () => {
    const watch = { look: () => "did not serve" };
    expect(candidateOf([serving("a")], {}, watch).unavailable).toBe("did not serve");
    expect(candidateOf([present("a", { status: "offline" })], {}, watch).unavailable).toBe("offline");
  });

  test("whether an agent that is offline can be counted on is for what switches its machine to say", () => {
    const off = present("a", { status: "offline" });
    const machines = (unavailable: string | null | undefined) => ({ unavailability: () => unavailable });
    expect(candidateOf([off], {}, undefined, machines(null)).unavailable).toBeNull();
    expect(candidateOf([off], {}, undefined, machines("failed to start")).unavailable).toBe("failed to start");
    expect(candidateOf([off], {}, undefined, machines(undefined)).unavailable).toBe("offline");
    // One that is there speaks for itself.
    const drains = present("a", { role: "draining" });
    expect(candidateOf([drains], {}, undefined, machines(null)).unavailable).toBe("draining");
  });

  test("the live rate is that of agents with fresh minutes, over the configured window", () => {
    const a = withMinute(serving("a", { requests: 60 * 10, minuteStartMs: newestMs - minuteMs }), {
      requests: 60 * 30,
    });
    const old = serving("b", { requests: 60 * 500, minuteStartMs: nowMs - 180_001 });
    expect(look([a, old]).liveQps).toBe(30);
    expect(look([a, old], { limits: { liveWindowMinutes: 2 } }).liveQps).toBe(20);
    expect(look([a, serving("b", { requests: 60 * 500, minuteStartMs: nowMs - 180_000 })]).liveQps).toBe(530);
    // The newest minute counts, however old the one before it is.
    expect(look([withMinute(old, { requests: 60 * 40 })]).liveQps).toBe(40);
    expect(look([old]).liveQps).toBeNull();
  });

  test("agents meant to serve whose minutes are missing make the picture incomplete", () => {
    const silent = present("silent");
    const standby = present("standby", { role: "standby" });
    const gone = (agoMs: number) => present("gone", { status: "offline" }, nowMs - agoMs);
    expect(look([serving("a"), silent, standby]).missingData).toEqual(["silent"]);
    expect(look([standby], { desired: { standby: aDesired({ role: "active" }) } }).missingData).toEqual(["standby"]);
    expect(look([gone(599_999)]).missingData).toEqual(["gone"]);
    expect(look([gone(600_000)]).missingData).toEqual([]);
  });

  test("history is whole up to the newest minute that all fresh agents have, and never beyond the last that has ended", () => {
    const behind = serving("b", { minuteStartMs: newestMs - minuteMs });
    expect(look([]).lastWholeMinuteMs).toBe(newestMs);
    expect(look([serving("a")]).lastWholeMinuteMs).toBe(newestMs);
    expect(look([serving("a"), behind]).lastWholeMinuteMs).toBe(newestMs - minuteMs);
    expect(look([serving("a", { minuteStartMs: newestMs + minuteMs })]).lastWholeMinuteMs).toBe(newestMs);
    expect(look([serving("a", { minuteStartMs: newestMs - 1 })]).lastWholeMinuteMs).toBe(newestMs - minuteMs);
    expect(look([serving("a"), present("silent")]).lastWholeMinuteMs).toBe(newestMs);
  });

  test("the agents' forecasts are summed step by step, as far as the horizon", () => {
    const a = serving("a", { forecast: forecastOf([10, 50, 10, 900]) });
    const b = serving("b", { forecast: forecastOf([40, 5, 5]) });
    const coarse = serving("c", { forecast: forecastOf([700], 5 * minuteMs) });
    expect(look([a, b, coarse, serving("d")]).agentForecastPeakQps).toBe(55);
    expect(look([a, serving("b", { forecast: forecastOf([1]) })]).agentForecastPeakQps).toBe(50);
    expect(look([serving("a", { forecast: forecastOf([0, 0, 0]) })]).agentForecastPeakQps).toBe(0);
    expect(look([coarse, serving("d")]).agentForecastPeakQps).toBeNull();
    expect(look([serving("old", { forecast: forecastOf([9]), minuteStartMs: 0 })]).agentForecastPeakQps).toBeNull();
  });

  test("what an agent reported is its own word when it is newer than its presence", () => {
    const state = { ...present("a", { role: "standby" }), reported: aReported({ agentId: "a", sentAtMs: 2000 }) };
    expect(candidateOf([state]).active).toBe(true);
  });
});
