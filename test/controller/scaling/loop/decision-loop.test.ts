import { beforeEach, describe, expect, test } from "bun:test";
import { CloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { explainScaling } from "#controller/scaling/policy/explain-scaling.ts";
import type { FleetLook } from "#controller/scaling/policy/live-policy.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { minuteMs } from "#platform/time.ts";
import { aMinute } from "../../../fakes/builders.ts";
import { LoopFixture } from "./loop-fixture.ts";

/** A policy as it is decided, without the file and the memory around it. */
const policyOf = (input: object) => ({
  observe: () => undefined,
  decide({ serving, ...look }: FleetLook) {
    const policy = parseScalingPolicy(input, "test");
    const seen = parseConfig(ScalingObservation, { ...look }, "test");
    const decision = decideScaling(policy, seen);
    return { ...decision, reason: explainScaling(decision, policy, seen) };
  },
});

describe("decision loop", () => {
  let fixture: LoopFixture;

  beforeEach(async () => {
    fixture = new LoopFixture();
    await fixture.begin();
  });

  test("agents that come and go while a round is under way make one more round, not one each", async () => {
    const first = fixture.loop.run();
    await Promise.resolve();
    const later = Array.from({ length: 100 }, () => fixture.loop.run());
    await Promise.all([first, ...later]);
    const rounds = (await fixture.store.decisions({ limit: 100 })).reduce((sum, { repeats }) => sum + repeats, 0);
    expect(rounds).toBe(2);
  });

  test("a forecast peak switches an agent on; the decision tells why", async () => {
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
    expect(fixture.broker.published[0]).toMatchObject({ topic: "thormesh/v1/f/agents/c/desired", retain: true });
    const [decision] = await fixture.store.decisions({ limit: 1 });
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
    fixture.report({ a: 100, b: 50, c: 0, d: 0 });
    fixture.nextMinute({ a: 10 });
    await fixture.loop.run();
    expect(fixture.histories[0]?.map(({ qps }) => qps)).toEqual([150]);
  });

  test("where minutes have few requests, the live rate is the mean of several", async () => {
    await fixture.begin({ liveWindowMinutes: 3 });
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    fixture.nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    fixture.nextMinute({ a: 700, b: 400, c: 0, d: 0 });
    await fixture.loop.run();
    const [decision] = await fixture.store.decisions({ limit: 1 });
    expect(decision?.inputs).toMatchObject({ liveQps: 500 });
    expect(decision).toMatchObject({ kind: "hold", rule: "sufficient" });
  });

  describe("under a policy", () => {
    const always = { timeZone: "UTC", start: "0 0 * * *", end: "0 0 * * *" };

    test("its number is what is done, and its reason is told", async () => {
      await fixture.begin(
        {},
        { policy: policyOf({ name: "factory", minReplicas: 1, schedules: [{ name: "fair", ...always, exact: 4 }] }) },
      );
      fixture.report({ a: 100, b: 100, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.desiredRoles()).toEqual(["c active 1", "d active 1"]);
      const [decision] = await fixture.store.decisions({ limit: 1 });
      expect(decision?.inputs["scaling"]).toMatchObject({
        replicas: 4,
        reactiveNeed: 1,
        limitedBy: [{ by: "schedule-floor" }],
      });
      expect(decision?.reason).toContain("policy factory: 200 qps now need 1 replica; schedules: fair wants exactly 4");
    });

    test("a maximum of the policy holds where the load asks for more", async () => {
      fixture.forecastQps = 2000;
      await fixture.begin({}, { policy: policyOf({ minReplicas: 1, maxReplicas: 3 }) });
      fixture.report({ a: 500, b: 500, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.desiredRoles()).toEqual(["c active 1"]);
    });

    test("in preview it is recorded once for each thing it would do, and nothing is done", async () => {
      await fixture.begin(
        {},
        {
          policy: policyOf({
            name: "next",
            mode: "preview",
            minReplicas: 1,
            schedules: [{ name: "fair", ...always, exact: 4 }],
          }),
        },
      );
      fixture.report({ a: 200, b: 200, c: 0, d: 0 });
      await fixture.loop.run();
      await fixture.loop.run();
      expect(fixture.desiredRoles()).toEqual([]);
      const previews = await fixture.store.decisions({ limit: 9, kind: "preview" });
      expect(previews.map(({ rule, inputs }) => [rule, inputs["scaling"]])).toEqual([
        ["scale-out", expect.objectContaining({ acts: false, replicas: 4 })],
      ]);
    });

    test("none at all, where the policy says so, and back again", async () => {
      const closed = { name: "closed", timeZone: "UTC", start: "0 0 1 1 *", end: "45 1 1 1 *", exact: 0 };
      const policy = { minReplicas: 0, maxReplicas: 4, load: false, schedules: [closed], triggers: [] };
      const open = { ...closed, name: "open", start: "45 1 1 1 *", end: "0 0 1 1 *", exact: 2 };
      await fixture.begin(
        { stabilizationMs: 0, budget: { activatePerMinute: 9, standByPerMinute: 9, modesPerMinute: 9 } },
        {
          policy: policyOf({
            ...policy,
            schedules: [closed, open],
          }),
        },
      );
      fixture.report({ a: 0, b: 0, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.desiredRoles().toSorted()).toEqual(["a standby 1", "b standby 1"]);
      fixture.nextMinute({ a: 0, b: 0, c: 0, d: 0 });
      fixture.nowMs += 5 * 60_000;
      fixture.report({ a: 0, b: 0, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.desiredRoles().filter((text) => text.includes("active")).length).toBe(2);
    });

    test("a pause keeps the number as it is", async () => {
      fixture.forecastQps = 2000;
      await fixture.begin({}, { policy: policyOf({ minReplicas: 1, pause: { kind: "hold" } }) });
      fixture.report({ a: 500, b: 500, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.desiredRoles()).toEqual([]);
    });
  });

  test("frozen: nothing changes, and what would have been done is told", async () => {
    fixture.forecastQps = 812;
    fixture.frozen = "stocktaking";
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.leave("a");
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual([]);
    const [decision] = await fixture.store.decisions({ limit: 1 });
    expect(decision).toMatchObject({ kind: "hold", rule: "frozen" });
    expect(decision?.reason).toMatch(/^frozen by an operator: stocktaking; would otherwise: .*switch on c/);
    fixture.frozen = null;
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toContain("c active 1");
  });

  test("a minute changes no more than the budget; the rest comes the minute after", async () => {
    await fixture.begin({ budget: { activatePerMinute: 1, standByPerMinute: 1, modesPerMinute: "100%" } });
    fixture.forecastQps = 1120;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
    const [again, first] = await fixture.store.decisions({ limit: 2 });
    expect(first?.outcome).toMatchObject({ activated: ["c"], skipped: [{ agentId: "d" }] });
    expect(again?.outcome.skipped[0]?.reason).toBe(
      "the budget allows 1 to be activated per minute, 1 in the last minute",
    );
    fixture.nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 1", "d active 1"]);
  });

  test("an agent that doesn't do what it was told is replaced by another, and left out for a while", async () => {
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
    for (let minute = 0; minute < 3; minute += 1) {
      fixture.nextMinute({ a: 100, b: 100, d: 0 });
      // It is there, but says nothing of serving.
      const state = fixture.fleet.get("c")!;
      fixture.fleet.put({
        ...state,
        lastHeardMs: fixture.nowMs,
        recent: [aMinute({ agentId: "c", role: "standby", minuteStartMs: fixture.nowMs - 70_000 })],
      });
      await fixture.loop.run();
    }
    expect(fixture.desiredRoles()).toEqual(["c active 1", "d active 1", "c standby 2"]);
    const replacement = (await fixture.store.decisions({ limit: 9, kind: "scale-out" }))[0];
    expect(replacement).toMatchObject({ rule: "replacement" });
    expect(replacement?.reason).toContain("c (was told to serve 180 s ago and has not reported that it does)");
  });

  test("what came true of a decision is kept with it, by the agents' own reports", async () => {
    fixture.forecastQps = 1120;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.nowMs += 4000;
    fixture.reports("c", { desiredVersion: 1, role: "active" });
    // What it reported before it was told says nothing.
    fixture.reports("d", { desiredVersion: null, role: "active" });
    fixture.nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    const outcome = async () => (await fixture.store.decisions({ limit: 9, kind: "scale-out" })).at(-1)?.outcome;
    expect(await outcome()).toEqual({
      activated: ["c", "d"],
      stoodBy: [],
      skipped: [],
      done: [{ agentId: "c", afterS: 4 }],
      late: [],
    });
    // A controller that takes over continues watching.
    await fixture.begin();
    await fixture.loop.run();
    fixture.nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect((await outcome())?.late).toEqual([
      { agentId: "d", reason: "not reported 3 min after the order; ordered again, while others take its place" },
    ]);
  });

  test("what is decided holds: the next round finds it done", async () => {
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.nextMinute({ a: 70, b: 70, c: 60, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
    expect(await fixture.kinds()).toEqual(["scale-out peak", "hold sufficient"]);
  });

  test("standby comes after the stabilisation window, not before", async () => {
    fixture.forecastQps = 700;
    const budget = { activatePerMinute: "100%", standByPerMinute: "100%", modesPerMinute: "100%" };
    await fixture.begin({ minReplicas: 1, budget });
    fixture.report({ a: 350, b: 350, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.forecastQps = 10;
    const rounds: number[] = [];
    for (let minute = 1; minute <= 14 && fixture.desiredRoles().length < 3; minute += 1) {
      fixture.nextMinute({ a: 5, b: 5, c: 0, d: 0 });
      await fixture.loop.run();
      rounds.push(minute);
    }
    expect(fixture.desiredRoles().slice(0, 2)).toEqual(["c active 1", "c standby 2"]);
    // The peak of minute 0 counts for 10 minutes.
    expect(rounds.length).toBe(11);
  });

  test("a hold that repeats is one row", async () => {
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    for (let round = 0; round < 5; round += 1) {
      await fixture.loop.run();
      fixture.nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    }
    const decisions = await fixture.store.decisions({ limit: 10 });
    expect(decisions).toMatchObject([{ kind: "hold", rule: "sufficient", repeats: 5 }]);
    expect(decisions[0]?.lastAtMs).toBe(fixture.nowMs - minuteMs);
  });

  test("an agent that goes while the forecast is made is not chosen", async () => {
    fixture.forecastQps = 812;
    fixture.whileForecasting = () => fixture.leave("c");
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["d active 1"]);
  });

  test("an active agent that goes is replaced, and stays on standby when it comes back", async () => {
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    fixture.leave("b");
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 1", "b standby 1"]);
    expect(await fixture.kinds()).toEqual(["scale-out replacement"]);
  });

  test("a forecast that fails does not stop the loop, and nothing is switched off on it", async () => {
    fixture.join("c", "active");
    fixture.forecastQps = new Error("no model");
    fixture.report({ a: 1, b: 1, c: 1, d: 0 });
    await fixture.loop.run();
    expect(await fixture.kinds()).toEqual(["hold missing-data"]);
    fixture.report({ a: 400, b: 400, c: 100, d: 0 });
    fixture.nextMinute({ a: 400, b: 400, c: 300, d: 0 });
    await fixture.loop.run();
    expect((await fixture.kinds()).at(-1)).toBe("scale-out peak");
  });

  test("without a broker the document waits in the store and goes out later", async () => {
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    fixture.broker.connected = false;
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual([]);
    fixture.broker.connected = true;
    await fixture.begin();
    await fixture.desired.publishAll();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
  });

  test("an agent that has not taken in its document gets it again", async () => {
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.nextMinute({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.publishedRoles()).toEqual(["c active 1", "c active 1"]);
  });

  test("switched off it decides and records, but changes nothing", async () => {
    await fixture.begin({ enabled: false });
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual([]);
    const [decision] = await fixture.store.decisions({ limit: 1 });
    expect(decision).toMatchObject({ kind: "scale-out", outcome: { activated: [], skipped: [{ agentId: "c" }] } });
  });

  describe("overrides", () => {
    test("an operator's role and mode are in the document until they expire", async () => {
      fixture.report({ a: 10, b: 10, c: 0, d: 0 });
      const { desired: document } = await fixture.overrides.apply("c", {
        role: "active",
        powerMode: "70W",
        expiresInS: 90,
      });
      expect(document).toMatchObject({ role: "active", powerMode: "70W", powerModeUntilMs: fixture.nowMs + 90_000 });
      fixture.nowMs += minuteMs;
      await fixture.loop.run();
      expect(fixture.desired.overrides.size).toBe(1);
      fixture.nextMinute({ a: 10, b: 10, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.desired.overrides.size).toBe(0);
      expect(fixture.desired.documents.get("c")).toMatchObject({ powerMode: null, powerModeUntilMs: null, version: 2 });
      expect(await fixture.kinds()).toContain("override-ended override-expired");
    });

    test("an operator's standby is replaced by another agent", async () => {
      fixture.report({ a: 100, b: 100, c: 0, d: 0 });
      await fixture.overrides.apply("b", { role: "standby", expiresInS: 3600 });
      await fixture.loop.run();
      expect(fixture.desiredRoles()).toEqual(["b standby 1", "c active 1"]);
    });

    test("ended by the operator, its mode goes and its role waits for the next decision", async () => {
      await fixture.overrides.apply("b", { powerMode: "70W", expiresInS: 60 });
      await fixture.overrides.end("b");
      expect(fixture.desired.documents.get("b")).toMatchObject({ role: "active", powerMode: null });
      expect(fixture.overrides.end("b")).rejects.toMatchObject({ code: "NOT_FOUND" });
    });

    test.each([
      ["an unknown agent", "nobody", { role: "active", expiresInS: 1 }, "NOT_FOUND", /nobody/],
      ["nothing", "a", { expiresInS: 1 }, "INVALID_REQUEST", /at least one/],
      ["a mode the board lacks", "a", { powerMode: "9W", expiresInS: 1 }, "INVALID_REQUEST", /MAXN, 70W, got "9W"/],
    ] as const)("refuses %s", async (_name, agentId, request, code, message) => {
      const failed = await fixture.overrides.apply(agentId, request).catch((error) => error);
      expect(failed.code).toBe(code);
      expect(failed.message).toMatch(message);
    });
  });

  test("versions go on from what the agent has seen when the store was lost", async () => {
    const state = fixture.fleet.get("c")!;
    fixture.fleet.put({
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
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100, c: 0, d: 0 });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toEqual(["c active 42"]);
  });

  test("after a jump of the clock the window is watched anew before anything is switched off", async () => {
    fixture.join("c", "active");
    fixture.report({ a: 1, b: 1, c: 1, d: 0 });
    await fixture.loop.run();
    fixture.nowMs += 24 * 3_600_000;
    for (const agentId of ["a", "b", "c", "d"])
      fixture.fleet.put({ ...fixture.fleet.get(agentId)!, lastHeardMs: fixture.nowMs });
    fixture.report({ a: 1, b: 1, c: 1, d: 0 });
    await fixture.loop.run();
    expect((await fixture.kinds()).at(-1)).toBe("hold stabilising");
    expect(fixture.desiredRoles()).toEqual([]);
  });

  test.each([5, -5])("a clock that jumps by %p hours: who is not heard from at once is not gone", async (hours) => {
    await fixture.begin({ warmUpMs: 2 * minuteMs });
    fixture.nowMs += 3 * minuteMs;
    const everyone = ["a", "b", "c", "d"];
    const heard = (ids: readonly string[]) => {
      for (const agentId of ids) fixture.fleet.put({ ...fixture.fleet.get(agentId)!, lastHeardMs: fixture.nowMs });
    };
    heard(everyone);
    fixture.report({ a: 200, b: 200, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.nowMs += hours * 3_600_000;
    heard(["a", "c", "d"]);
    fixture.report({ a: 200, c: 0, d: 0 });
    await fixture.loop.run();
    expect((await fixture.kinds()).at(-1)).toBe("hold warming-up");
    fixture.nowMs += minuteMs;
    heard(everyone);
    fixture.report({ a: 200, b: 200, c: 0, d: 0 });
    await fixture.loop.run();
    fixture.nextMinute({ a: 200, b: 200, c: 0, d: 0 });
    await fixture.loop.run();
    expect((await fixture.kinds()).at(-1)).toBe("hold sufficient");
    expect(fixture.desiredRoles()).toEqual([]);
  });

  describe("under the fleet plan", () => {
    // Boards that sleep on standby, and electricity alone: lower modes pay.
    const { plan } = parseConfig(ScalingConfig, { plan: { standbyWatts: 5, amortisationShare: 0 } }, "test");
    const begun = () => fixture.begin({ policy: "fleet-plan", minReplicas: 1, stabilizationMs: 5 * minuteMs, plan });

    test("it grows with the forecast and shrinks when nothing needs it; roles, modes and reasons are recorded", async () => {
      await begun();
      fixture.forecastQps = 500;
      fixture.report({ a: 200, b: 200, c: 0, d: 0 });
      await fixture.loop.run();
      // Half as much again may come: more than the 560 that two carry at 80 %.
      const [growth] = await fixture.store.decisions({ limit: 1 });
      expect(growth).toMatchObject({ kind: "scale-out", rule: "plan", outcome: { activated: ["c"], stoodBy: [] } });
      expect(growth?.reason).toContain(
        "Traffic is 400 texts/s; up to 500 is expected within 15 min, and 750 is possible",
      );
      expect(growth?.inputs["plan"]).toMatchObject({ gap: expect.any(Number), feasible: true });
      fixture.obey("c");
      fixture.forecastQps = 100;
      for (let minute = 0; minute < 20; minute += 1) {
        fixture.nextMinute({ a: 30, b: 30, c: 30, d: 0 });
        await fixture.loop.run();
        for (const agentId of fixture.desired.documents.keys()) fixture.obey(agentId);
      }
      const serving = [...fixture.desired.documents.values()].filter(({ role }) => role === "active");
      expect(serving.length).toBeLessThan(3);
      expect(fixture.desiredModes().some((line) => / active 70W$/.test(line))).toBe(true);
      expect(await fixture.kinds()).toContain("scale-in plan");
      expect(fixture.planned[0]).toMatchObject({ stepS: 60, horizonSteps: 15, targetUtilization: 0.8 });
      expect(fixture.planned[0]?.devices.map(({ id, state, mode }) => `${id} ${state} ${mode}`)).toEqual([
        "a active MAXN",
        "b active MAXN",
        "c standby MAXN",
        "d standby MAXN",
      ]);
    });

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
      await fixture.begin({ policy: "fleet-plan", minReplicas: 1, stabilizationMs: 5 * minuteMs, cloud });
      fixture.forecastQps = 700;
      fixture.report({ a: 250, b: 250, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.planned[0]?.devices.map(({ id }) => id)).toEqual(["a", "b"]);
      expect(fixture.planned[0]?.cloud).toMatchObject([{ id: "rack", max: 2, running: 0 }]);
      const [growth] = await fixture.store.decisions({ limit: 1 });
      expect(growth).toMatchObject({ kind: "scale-out", rule: "plan" });
      expect(growth?.outcome.activated).toContain("c");
      expect(growth?.reason).toContain("rack (on-demand) from 0 to");
      for (const agentId of fixture.desired.documents.keys()) fixture.obey(agentId);
      // More than everything: what is left over would go where nobody can send it.
      fixture.forecastQps = 4000;
      fixture.nextMinute({ a: 250, b: 250, c: 0, d: 0 });
      await fixture.loop.run();
      const [over] = await fixture.store.decisions({ limit: 1 });
      expect(over?.reason).toMatch(/texts\/s would overflow to 9 units of far \(serverless\), which nothing here can/);
      expect(over?.inputs["cloud"]).toContainEqual(expect.objectContaining({ id: "far", units: 9, by: "none" }));
      fixture.forecastQps = 100;
      for (let minute = 0; minute < 12; minute += 1) {
        fixture.nextMinute({ a: 40, b: 40, c: 20, d: 0 });
        for (const agentId of fixture.desired.documents.keys()) fixture.obey(agentId);
        await fixture.loop.run();
      }
      expect(fixture.desired.documents.get("c")?.role).toBe("standby");
      expect(fixture.desired.documents.get("d")?.role).toBe("standby");
      const roles = ["a", "b"].map((agentId) => fixture.desired.documents.get(agentId)?.role ?? "active");
      expect(roles).toContain("active");
    });

    test("a mode that the plan wants is held on as long as it does, and given up with the role", async () => {
      await begun();
      fixture.forecastQps = 100;
      for (let minute = 0; minute < 24; minute += 1) {
        fixture.nextMinute({ a: 60, b: 60, c: 0, d: 0 });
        await fixture.loop.run();
        for (const agentId of fixture.desired.documents.keys()) fixture.obey(agentId);
      }
      const held = [...fixture.desired.documents.values()].filter(({ powerMode }) => powerMode !== null);
      expect(held.length).toBeGreaterThan(0);
      for (const { role, powerModeUntilMs } of held) {
        expect(role).toBe("active");
        expect(powerModeUntilMs).toBeGreaterThan(fixture.nowMs + 14 * minuteMs);
      }
      for (const { role, powerMode } of fixture.desired.documents.values())
        if (role === "standby") expect(powerMode).toBeNull();
    });

    test("the plain rule goes first: no forecast, a lost agent, an operator's word", async () => {
      await begun();
      fixture.forecastQps = new Error("no model");
      fixture.report({ a: 100, b: 100, c: 0, d: 0 });
      await fixture.loop.run();
      expect(fixture.planned).toEqual([]);
      fixture.forecastQps = 500;
      fixture.leave("b");
      fixture.nextMinute({ a: 450 });
      await fixture.loop.run();
      expect((await fixture.kinds()).at(-1)).toBe("scale-out replacement");
      await fixture.overrides.apply("a", { role: "standby", expiresInS: 3600 });
      fixture.nextMinute({ c: 450 });
      await fixture.loop.run();
      expect(fixture.desired.documents.get("a")?.role).toBe("standby");
    });
  });
});
