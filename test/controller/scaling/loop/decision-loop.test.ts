import { beforeEach, describe, expect, test } from "bun:test";
import {
  observeBirth,
  observeMinute,
  observePresence,
  observeReported,
  unknownAgent,
} from "#controller/fleet/agent-state.ts";
import { createDesiredDocuments, type DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { CloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import { decideFleetPlan, defaultPlanLimits } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import type { FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { createDecisionLoop, type DecisionLoop } from "#controller/scaling/loop/decision-loop.ts";
import { createOverrides, type Overrides } from "#controller/scaling/loop/overrides.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import type { FleetLook } from "#controller/scaling/policy/live-policy.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import type { Store } from "#controller/store/store.ts";
import type { Forecaster, MinuteRate } from "#forecast/forecaster.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { aBirth, aMinute, aPresence, aReported } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { createRecordingBroker, type RecordingBroker } from "../../recording-broker.ts";

const log = createLogger("test", "silent");
const solver = await loadHighsSolver();
const minuteMs = 60_000;

describe("decision loop", () => {
  let broker: RecordingBroker;
  let store: Store;
  let fleet: Fleet;
  let desired: DesiredDocuments;
  let overrides: Overrides;
  let loop: DecisionLoop;
  let nowMs: number;
  let forecastQps: number | Error;
  let histories: (readonly MinuteRate[])[];
  let whileForecasting: () => void;
  let planned: FleetPlanInput[];

  let frozen: string | null;
  /** A policy as it is decided, without the file and the memory around it. */
  const policyOf = (input: object) => ({
    observe: () => undefined,
    decide({ serving, ...look }: FleetLook) {
      return decideScaling(parseScalingPolicy(input, "test"), parseConfig(ScalingObservation, { ...look }, "test"));
    },
  });

  const begin = async (given: Partial<ScalingConfig> = {}, policy?: object) => {
    const parts = { fleetName: "f", fleet, store, broker, nowMs: () => nowMs, log };
    desired = createDesiredDocuments(parts);
    await desired.recover();
    const forecaster: Forecaster = {
      async start() {},
      async stop() {},
      async forecast(history) {
        histories.push(history);
        whileForecasting();
        if (forecastQps instanceof Error) throw forecastQps;
        return { madeAtMs: nowMs, model: "test", reason: "", stepMs: minuteMs, qps: new Array(15).fill(forecastQps) };
      },
      describe: () => ({ model: "test", backend: "none", reason: "" }),
    };
    loop = createDecisionLoop({
      config: { ...parseConfig(ScalingConfig, {}, "test"), warmUpMs: 0, ...given },
      limits: { staleAfterMs: 180_000 },
      prices: { tariffUsdPerKwh: 0.15, amortisationUsdPerHour: 0.133 },
      fleet,
      desired,
      store,
      forecaster,
      nowMs: () => nowMs,
      log,
      onDecision: () => undefined,
      ...(policy === undefined ? {} : { policy: policyOf(policy) }),
      frozen: () => frozen,
      planner: {
        async plan({ input, cover }) {
          planned.push(input);
          return decideFleetPlan(input, solver, defaultPlanLimits, cover);
        },
        async stop() {},
      },
    });
    overrides = createOverrides({ fleet, desired, store, nowMs: () => nowMs, onChange: () => undefined });
  };

  /** Every agent says how many requests a second it answered in the minute that has just ended. */
  const report = (rates: Record<string, number>) => {
    const minuteStartMs = Math.floor(nowMs / minuteMs) * minuteMs - minuteMs;
    for (const [agentId, qps] of Object.entries(rates)) {
      const state = fleet.get(agentId)!;
      const data = aMinute({ agentId, seq: state.lastSeq + 1, minuteStartMs, requests: qps * 60 });
      fleet.put(observeMinute(state, data, nowMs).state);
      fleet.traffic.add(minuteStartMs, qps * 60);
    }
  };
  const nextMinute = (rates: Record<string, number>) => {
    nowMs += minuteMs;
    report(rates);
  };
  const join = (agentId: string, role: "active" | "standby") => {
    const presence = observePresence(unknownAgent(agentId, nowMs), aPresence({ agentId, role }), nowMs)!;
    fleet.put(observeBirth(presence, aBirth({ agentId }), nowMs));
  };
  const leave = (agentId: string) => {
    const state = fleet.get(agentId)!;
    fleet.put(observePresence(state, { ...state.presence!, status: "offline" }, nowMs)!);
  };
  const publishedRoles = () =>
    broker.published
      .filter(({ topic }) => topic.endsWith("/desired"))
      .map(({ message }) => `${message["agentId"]} ${message["role"]} ${message["version"]}`);
  /** Without reminders: these agents never report what they have taken in. */
  const desiredRoles = () => [...new Set(publishedRoles())];
  const kinds = async () =>
    (await store.decisions({ limit: 100 })).map(({ kind, rule }) => `${kind} ${rule}`).reverse();

  beforeEach(async () => {
    broker = createRecordingBroker();
    store = createMemoryStore();
    fleet = createFleet();
    histories = [];
    planned = [];
    whileForecasting = () => undefined;
    frozen = null;
    forecastQps = 0;
    nowMs = Date.UTC(1971, 0, 1) + 100 * minuteMs + 10_000;
    for (const agentId of ["a", "b"]) join(agentId, "active");
    for (const agentId of ["c", "d"]) join(agentId, "standby");
    await begin();
  });

  test("agents that come and go while a round is under way make one more round, not one each", async () => {
    const first = loop.run();
    await Promise.resolve();
    const later = Array.from({ length: 100 }, () => loop.run());
    await Promise.all([first, ...later]);
    const rounds = (await store.decisions({ limit: 100 })).reduce((sum, { repeats }) => sum + repeats, 0);
    expect(rounds).toBe(2);
  });

  test("a forecast peak switches an agent on; the decision tells why", async () => {
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 1"]);
    expect(broker.published[0]).toMatchObject({ topic: "thormesh/v1/f/agents/c/desired", retain: true });
    const [decision] = await store.decisions({ limit: 1 });
    expect(decision).toMatchObject({
      kind: "scale-out",
      rule: "peak",
      agents: ["c"],
      inputs: { liveQps: 200, forecastPeakQps: 812, need: 3, forecastModel: "test" },
      outcome: { activated: ["c"], stoodBy: [], skipped: [] },
    });
    expect(decision?.reason).toContain("up to 812 are expected within 15 min: that takes 3 agents");
  });

  test("the forecast is of the fleet's total, up to the newest minute that all have reported", async () => {
    report({ a: 100, b: 50, c: 0, d: 0 });
    nextMinute({ a: 10 });
    await loop.run();
    expect(histories[0]?.map(({ qps }) => qps)).toEqual([150]);
  });

  test("where minutes have few requests, the live rate is the mean of several", async () => {
    await begin({ liveWindowMinutes: 3 });
    report({ a: 100, b: 100, c: 0, d: 0 });
    nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    nextMinute({ a: 700, b: 400, c: 0, d: 0 });
    await loop.run();
    const [decision] = await store.decisions({ limit: 1 });
    expect(decision?.inputs).toMatchObject({ liveQps: 500 });
    expect(decision).toMatchObject({ kind: "hold", rule: "sufficient" });
  });

  describe("under a policy", () => {
    const always = { timeZone: "UTC", start: "0 0 * * *", end: "0 0 * * *" };

    test("its number is what is done, and its reason is told", async () => {
      await begin({}, { name: "factory", minReplicas: 1, schedules: [{ name: "fair", ...always, exact: 4 }] });
      report({ a: 100, b: 100, c: 0, d: 0 });
      await loop.run();
      expect(desiredRoles()).toEqual(["c active 1", "d active 1"]);
      const [decision] = await store.decisions({ limit: 1 });
      expect(decision?.inputs["scaling"]).toMatchObject({
        replicas: 4,
        reactiveNeed: 1,
        limitedBy: [{ by: "schedule-floor" }],
      });
      expect(decision?.reason).toContain("policy factory: 200 qps now need 1 replica; schedules: fair wants exactly 4");
    });

    test("a maximum of the policy holds where the load asks for more", async () => {
      forecastQps = 2000;
      await begin({}, { minReplicas: 1, maxReplicas: 3 });
      report({ a: 500, b: 500, c: 0, d: 0 });
      await loop.run();
      expect(desiredRoles()).toEqual(["c active 1"]);
    });

    test("in preview it is recorded once for each thing it would do, and nothing is done", async () => {
      await begin(
        {},
        { name: "next", mode: "preview", minReplicas: 1, schedules: [{ name: "fair", ...always, exact: 4 }] },
      );
      report({ a: 200, b: 200, c: 0, d: 0 });
      await loop.run();
      await loop.run();
      expect(desiredRoles()).toEqual([]);
      const previews = await store.decisions({ limit: 9, kind: "preview" });
      expect(previews.map(({ rule, inputs }) => [rule, inputs["scaling"]])).toEqual([
        ["scale-out", expect.objectContaining({ acts: false, replicas: 4 })],
      ]);
    });

    test("none at all, where the policy says so, and back again", async () => {
      const closed = { name: "closed", timeZone: "UTC", start: "0 0 1 1 *", end: "45 1 1 1 *", exact: 0 };
      const policy = { minReplicas: 0, maxReplicas: 4, load: false, schedules: [closed], triggers: [] };
      const open = { ...closed, name: "open", start: "45 1 1 1 *", end: "0 0 1 1 *", exact: 2 };
      await begin(
        { stabilizationMs: 0, budget: { activatePerMinute: 9, standByPerMinute: 9, modesPerMinute: 9 } },
        {
          ...policy,
          schedules: [closed, open],
        },
      );
      report({ a: 0, b: 0, c: 0, d: 0 });
      await loop.run();
      expect(desiredRoles().toSorted()).toEqual(["a standby 1", "b standby 1"]);
      nextMinute({ a: 0, b: 0, c: 0, d: 0 });
      nowMs += 5 * 60_000;
      report({ a: 0, b: 0, c: 0, d: 0 });
      await loop.run();
      expect(desiredRoles().filter((text) => text.includes("active")).length).toBe(2);
    });

    test("a pause keeps the number as it is", async () => {
      forecastQps = 2000;
      await begin({}, { minReplicas: 1, pause: { kind: "hold" } });
      report({ a: 500, b: 500, c: 0, d: 0 });
      await loop.run();
      expect(desiredRoles()).toEqual([]);
    });
  });

  test("frozen: nothing changes, and what would have been done is told", async () => {
    forecastQps = 812;
    frozen = "stocktaking";
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    leave("a");
    await loop.run();
    expect(desiredRoles()).toEqual([]);
    const [decision] = await store.decisions({ limit: 1 });
    expect(decision).toMatchObject({ kind: "hold", rule: "frozen" });
    expect(decision?.reason).toMatch(/^frozen by an operator: stocktaking; would otherwise: .*switch on c/);
    frozen = null;
    await loop.run();
    expect(desiredRoles()).toContain("c active 1");
  });

  test("a minute changes no more than the budget; the rest comes the minute after", async () => {
    await begin({ budget: { activatePerMinute: 1, standByPerMinute: 1, modesPerMinute: "100%" } });
    forecastQps = 1120;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 1"]);
    const [again, first] = await store.decisions({ limit: 2 });
    expect(first?.outcome).toMatchObject({ activated: ["c"], skipped: [{ agentId: "d" }] });
    expect(again?.outcome.skipped[0]?.reason).toBe("the budget lets 1 be activated a minute, 1 in the last minute");
    nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 1", "d active 1"]);
  });

  test("an agent that doesn't do what it was told is replaced by another, and left out for a while", async () => {
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 1"]);
    for (let minute = 0; minute < 3; minute += 1) {
      nextMinute({ a: 100, b: 100, d: 0 });
      // It is there, but says nothing of serving.
      const state = fleet.get("c")!;
      fleet.put({
        ...state,
        lastHeardMs: nowMs,
        recent: [aMinute({ agentId: "c", role: "standby", minuteStartMs: nowMs - 70_000 })],
      });
      await loop.run();
    }
    expect(desiredRoles()).toEqual(["c active 1", "d active 1", "c standby 2"]);
    const replacement = (await store.decisions({ limit: 9, kind: "scale-out" }))[0];
    expect(replacement).toMatchObject({ rule: "replacement" });
    expect(replacement?.reason).toContain("c (was told to serve 180 s ago and has not reported it)");
  });

  test("what came true of a decision is kept with it, by the agents' own reports", async () => {
    forecastQps = 1120;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    const reports = (agentId: string, given: Partial<Parameters<typeof aReported>[0]>) => {
      const state = fleet.get(agentId)!;
      fleet.put(observeReported(state, aReported({ agentId, ...given }), nowMs)!);
    };
    nowMs += 4000;
    reports("c", { desiredVersion: 1, role: "active" });
    // What it reported before it was told says nothing.
    reports("d", { desiredVersion: null, role: "active" });
    nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    const outcome = async () => (await store.decisions({ limit: 9, kind: "scale-out" })).at(-1)?.outcome;
    expect(await outcome()).toEqual({
      activated: ["c", "d"],
      stoodBy: [],
      skipped: [],
      done: [{ agentId: "c", afterS: 4 }],
      late: [],
    });
    // A controller that takes over goes on watching.
    await begin();
    await loop.run();
    nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect((await outcome())?.late).toEqual([
      { agentId: "d", reason: "not reported 3 min after it was told; told again, and others take its place" },
    ]);
  });

  test("what is decided holds: the next round finds it done", async () => {
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    nextMinute({ a: 70, b: 70, c: 60, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 1"]);
    expect(await kinds()).toEqual(["scale-out peak", "hold sufficient"]);
  });

  test("standby comes after the stabilisation window, not before", async () => {
    forecastQps = 700;
    const budget = { activatePerMinute: "100%", standByPerMinute: "100%", modesPerMinute: "100%" };
    await begin({ minReplicas: 1, budget });
    report({ a: 350, b: 350, c: 0, d: 0 });
    await loop.run();
    forecastQps = 10;
    const rounds: number[] = [];
    for (let minute = 1; minute <= 14 && desiredRoles().length < 3; minute += 1) {
      nextMinute({ a: 5, b: 5, c: 0, d: 0 });
      await loop.run();
      rounds.push(minute);
    }
    expect(desiredRoles().slice(0, 2)).toEqual(["c active 1", "c standby 2"]);
    // The peak of minute 0 counts for 10 minutes.
    expect(rounds.length).toBe(11);
  });

  test("a hold that repeats is one row", async () => {
    report({ a: 100, b: 100, c: 0, d: 0 });
    for (let round = 0; round < 5; round += 1) {
      await loop.run();
      nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    }
    const decisions = await store.decisions({ limit: 10 });
    expect(decisions).toMatchObject([{ kind: "hold", rule: "sufficient", repeats: 5 }]);
    expect(decisions[0]?.lastAtMs).toBe(nowMs - minuteMs);
  });

  test("an agent that goes while the forecast is made is not chosen", async () => {
    forecastQps = 812;
    whileForecasting = () => leave("c");
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual(["d active 1"]);
  });

  test("an active agent that goes is replaced, and stays on standby when it comes back", async () => {
    report({ a: 100, b: 100, c: 0, d: 0 });
    leave("b");
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 1", "b standby 1"]);
    expect(await kinds()).toEqual(["scale-out replacement"]);
  });

  test("a forecast that fails does not stop the loop, and nothing is switched off on it", async () => {
    join("c", "active");
    forecastQps = new Error("no model");
    report({ a: 1, b: 1, c: 1, d: 0 });
    await loop.run();
    expect(await kinds()).toEqual(["hold missing-data"]);
    report({ a: 400, b: 400, c: 100, d: 0 });
    nextMinute({ a: 400, b: 400, c: 300, d: 0 });
    await loop.run();
    expect((await kinds()).at(-1)).toBe("scale-out peak");
  });

  test("without a broker the document waits in the store and goes out later", async () => {
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    broker.connected = false;
    await loop.run();
    expect(desiredRoles()).toEqual([]);
    broker.connected = true;
    await begin();
    await desired.publishAll();
    expect(desiredRoles()).toEqual(["c active 1"]);
  });

  test("an agent that has not taken in its document gets it again", async () => {
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(publishedRoles()).toEqual(["c active 1", "c active 1"]);
  });

  test("switched off it decides and records, but changes nothing", async () => {
    await begin({ enabled: false });
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual([]);
    const [decision] = await store.decisions({ limit: 1 });
    expect(decision).toMatchObject({ kind: "scale-out", outcome: { activated: [], skipped: [{ agentId: "c" }] } });
  });

  describe("overrides", () => {
    test("an operator's role and mode are in the document until they expire", async () => {
      report({ a: 10, b: 10, c: 0, d: 0 });
      const { desired: document } = await overrides.apply("c", { role: "active", powerMode: "70W", expiresInS: 90 });
      expect(document).toMatchObject({ role: "active", powerMode: "70W", powerModeUntilMs: nowMs + 90_000 });
      nowMs += minuteMs;
      await loop.run();
      expect(desired.overrides.size).toBe(1);
      nextMinute({ a: 10, b: 10, c: 0, d: 0 });
      await loop.run();
      expect(desired.overrides.size).toBe(0);
      expect(desired.documents.get("c")).toMatchObject({ powerMode: null, powerModeUntilMs: null, version: 2 });
      expect(await kinds()).toContain("override-ended override-expired");
    });

    test("an operator's standby is replaced by another agent", async () => {
      report({ a: 100, b: 100, c: 0, d: 0 });
      await overrides.apply("b", { role: "standby", expiresInS: 3600 });
      await loop.run();
      expect(desiredRoles()).toEqual(["b standby 1", "c active 1"]);
    });

    test("ended by the operator, its mode goes and its role waits for the next decision", async () => {
      await overrides.apply("b", { powerMode: "70W", expiresInS: 60 });
      await overrides.end("b");
      expect(desired.documents.get("b")).toMatchObject({ role: "active", powerMode: null });
      expect(overrides.end("b")).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test.each([
      ["an unknown agent", "nobody", { role: "active", expiresInS: 1 }, "NOT_FOUND", /nobody/],
      ["nothing", "a", { expiresInS: 1 }, "INVALID_REQUEST", /at least one/],
      ["a mode the board lacks", "a", { powerMode: "9W", expiresInS: 1 }, "INVALID_REQUEST", /MAXN, 70W, got "9W"/],
    ] as const)("refuses %s", async (_name, agentId, request, code, message) => {
      const failed = await overrides.apply(agentId, request).catch((error) => error);
      expect(failed.code).toBe(code);
      expect(failed.message).toMatch(message);
    });
  });

  test("versions go on from what the agent has seen when the store was lost", async () => {
    const state = fleet.get("c")!;
    fleet.put({
      ...state,
      reported: {
        v: 1,
        agentId: "c",
        bootId: "boot-1",
        sentAtMs: 1,
        desiredVersion: 41,
        role: "standby",
        powerMode: null,
        differs: [],
      },
    });
    forecastQps = 812;
    report({ a: 100, b: 100, c: 0, d: 0 });
    await loop.run();
    expect(desiredRoles()).toEqual(["c active 42"]);
  });

  test("after a jump of the clock the window is watched anew before anything is switched off", async () => {
    join("c", "active");
    report({ a: 1, b: 1, c: 1, d: 0 });
    await loop.run();
    nowMs += 24 * 3_600_000;
    for (const agentId of ["a", "b", "c", "d"]) fleet.put({ ...fleet.get(agentId)!, lastHeardMs: nowMs });
    report({ a: 1, b: 1, c: 1, d: 0 });
    await loop.run();
    expect((await kinds()).at(-1)).toBe("hold stabilising");
    expect(desiredRoles()).toEqual([]);
  });

  test.each([5, -5])("a clock that jumps by %p hours: who is not heard of at once is not gone", async (hours) => {
    await begin({ warmUpMs: 2 * minuteMs });
    nowMs += 3 * minuteMs;
    const everyone = ["a", "b", "c", "d"];
    const heard = (ids: readonly string[]) => {
      for (const agentId of ids) fleet.put({ ...fleet.get(agentId)!, lastHeardMs: nowMs });
    };
    heard(everyone);
    report({ a: 200, b: 200, c: 0, d: 0 });
    await loop.run();
    nowMs += hours * 3_600_000;
    heard(["a", "c", "d"]);
    report({ a: 200, c: 0, d: 0 });
    await loop.run();
    expect((await kinds()).at(-1)).toBe("hold warming-up");
    nowMs += minuteMs;
    heard(everyone);
    report({ a: 200, b: 200, c: 0, d: 0 });
    await loop.run();
    nextMinute({ a: 200, b: 200, c: 0, d: 0 });
    await loop.run();
    expect((await kinds()).at(-1)).toBe("hold sufficient");
    expect(desiredRoles()).toEqual([]);
  });

  describe("under the fleet plan", () => {
    const desiredModes = () =>
      broker.published
        .filter(({ topic }) => topic.endsWith("/desired"))
        .map(({ message }) => `${message["agentId"]} ${message["role"]} ${message["powerMode"]}`);
    /** The agent does as it was told. */
    const obey = (agentId: string) => {
      const document = desired.documents.get(agentId)!;
      const { presence, ...state } = fleet.get(agentId)!;
      const mode = document.powerMode ?? "MAXN";
      const reported = aReported({ agentId, desiredVersion: document.version, role: document.role, powerMode: mode });
      fleet.put({ ...state, presence: { ...presence!, role: document.role }, reported });
    };
    // Boards that sleep on standby, and electricity alone: lower modes pay.
    const { plan } = parseConfig(ScalingConfig, { plan: { standbyWatts: 5, amortisationShare: 0 } }, "test");
    const begun = () => begin({ policy: "fleet-plan", minReplicas: 1, stabilizationMs: 5 * minuteMs, plan });

    test("it grows with the forecast and shrinks when nothing needs it; roles, modes and reasons are recorded", async () => {
      await begun();
      forecastQps = 500;
      report({ a: 200, b: 200, c: 0, d: 0 });
      await loop.run();
      // Half as much again may come: more than the 560 that two carry at 80 %.
      const [growth] = await store.decisions({ limit: 1 });
      expect(growth).toMatchObject({ kind: "scale-out", rule: "plan", outcome: { activated: ["c"], stoodBy: [] } });
      expect(growth?.reason).toContain(
        "Traffic is 400 texts/s; up to 500 is expected within 15 min, and 750 is possible",
      );
      expect(growth?.inputs["plan"]).toMatchObject({ gap: expect.any(Number), feasible: true });
      obey("c");
      forecastQps = 100;
      for (let minute = 0; minute < 20; minute += 1) {
        nextMinute({ a: 30, b: 30, c: 30, d: 0 });
        await loop.run();
        for (const agentId of desired.documents.keys()) obey(agentId);
      }
      const serving = [...desired.documents.values()].filter(({ role }) => role === "active");
      expect(serving.length).toBeLessThan(3);
      expect(desiredModes().some((line) => / active 70W$/.test(line))).toBe(true);
      expect(await kinds()).toContain("scale-in plan");
      expect(planned[0]).toMatchObject({ stepS: 60, horizonSteps: 15, targetUtilization: 0.8 });
      expect(planned[0]?.devices.map(({ id, state, mode }) => `${id} ${state} ${mode}`)).toEqual([
        "a active MAXN",
        "b active MAXN",
        "c standby MAXN",
        "d standby MAXN",
      ]);
    }, 60_000);

    test("rented agents are no devices: they come when the devices do not suffice, and go again", async () => {
      const offer = { kind: "on-demand", capacityQps: 350, usdPerHour: 0.2 } as const;
      const cloud = parseConfig(
        CloudConfig,
        [
          { ...offer, id: "rack", agents: ["c", "d"], startupS: 60 },
          { ...offer, id: "far", kind: "serverless", usdPerHour: 0, usdPerRequest: 1e-6, max: 9 },
        ],
        "test",
      );
      await begin({ policy: "fleet-plan", minReplicas: 1, stabilizationMs: 5 * minuteMs, cloud });
      forecastQps = 700;
      report({ a: 250, b: 250, c: 0, d: 0 });
      await loop.run();
      expect(planned[0]?.devices.map(({ id }) => id)).toEqual(["a", "b"]);
      expect(planned[0]?.cloud).toMatchObject([{ id: "rack", max: 2, running: 0 }]);
      const [growth] = await store.decisions({ limit: 1 });
      expect(growth).toMatchObject({ kind: "scale-out", rule: "plan" });
      expect(growth?.outcome.activated).toContain("c");
      expect(growth?.reason).toContain("rack (on-demand) from 0 to");
      for (const agentId of desired.documents.keys()) obey(agentId);
      // More than everything: what is left over would go where nobody can send it.
      forecastQps = 4000;
      nextMinute({ a: 250, b: 250, c: 0, d: 0 });
      await loop.run();
      const [over] = await store.decisions({ limit: 1 });
      expect(over?.reason).toMatch(/texts\/s would overflow to 9 units of far \(serverless\), which nothing here can/);
      expect(over?.inputs["cloud"]).toContainEqual(expect.objectContaining({ id: "far", units: 9, by: "nobody" }));
      forecastQps = 100;
      for (let minute = 0; minute < 12; minute += 1) {
        nextMinute({ a: 40, b: 40, c: 20, d: 0 });
        for (const agentId of desired.documents.keys()) obey(agentId);
        await loop.run();
      }
      expect(desired.documents.get("c")?.role).toBe("standby");
      expect(desired.documents.get("d")?.role).toBe("standby");
      const roles = ["a", "b"].map((agentId) => desired.documents.get(agentId)?.role ?? "active");
      expect(roles).toContain("active");
    }, 60_000);

    test("a mode that the plan wants is held on as long as it does, and given up with the role", async () => {
      await begun();
      forecastQps = 100;
      for (let minute = 0; minute < 24; minute += 1) {
        nextMinute({ a: 60, b: 60, c: 0, d: 0 });
        await loop.run();
        for (const agentId of desired.documents.keys()) obey(agentId);
      }
      const held = [...desired.documents.values()].filter(({ powerMode }) => powerMode !== null);
      expect(held.length).toBeGreaterThan(0);
      for (const { role, powerModeUntilMs } of held) {
        expect(role).toBe("active");
        expect(powerModeUntilMs).toBeGreaterThan(nowMs + 14 * minuteMs);
      }
      for (const { role, powerMode } of desired.documents.values())
        if (role === "standby") expect(powerMode).toBeNull();
    }, 60_000);

    test("the plain rule goes first: no forecast, a lost agent, an operator's word", async () => {
      await begun();
      forecastQps = new Error("no model");
      report({ a: 100, b: 100, c: 0, d: 0 });
      await loop.run();
      expect(planned).toEqual([]);
      forecastQps = 500;
      leave("b");
      nextMinute({ a: 450 });
      await loop.run();
      expect((await kinds()).at(-1)).toBe("scale-out replacement");
      await overrides.apply("a", { role: "standby", expiresInS: 3600 });
      nextMinute({ c: 450 });
      await loop.run();
      expect(desired.documents.get("a")?.role).toBe("standby");
    });
  });
});
