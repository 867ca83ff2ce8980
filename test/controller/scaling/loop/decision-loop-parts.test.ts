import { beforeEach, describe, expect, test } from "bun:test";
import { CloudConfig } from "#controller/scaling/apply-plan/cloud-config.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import type { FleetLook } from "#controller/scaling/policy/live-policy.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { minuteMs } from "#platform/time.ts";
import { aPresence } from "../../../fakes/builders.ts";
import { LoopFixture } from "./loop-fixture.ts";

let fixture: LoopFixture;
beforeEach(() => {
  fixture = new LoopFixture();
});
const calm = { a: 100, b: 100, c: 0, d: 0 };
const round = async () => fixture.loop.run();
const newest = async () => (await fixture.store.decisions({ limit: 1 }))[0]!;
const heard = (...ids: string[]) => {
  for (const agentId of ids) fixture.fleet.put({ ...fixture.fleet.get(agentId)!, lastHeardMs: fixture.nowMs });
};

describe("modes of agents that are put on standby", () => {
  const fall = async (policy: "active-agents" | "fleet-plan", setPowerModes = true) => {
    fixture.join("c", "active");
    const budget = { activatePerMinute: "100%", standByPerMinute: "100%", modesPerMinute: "100%" };
    const plan = { ...parseConfig(ScalingConfig, {}, "test").plan, setPowerModes };
    await fixture.begin({ policy, plan, stabilizationMs: 0, minReplicas: 2, budget });
    const untilMs = fixture.nowMs + 3_600_000;
    await fixture.desired.change("c", { role: "active", powerMode: "70W", powerModeUntilMs: untilMs }, "before");
    fixture.report({ a: 1, b: 1, c: 1, d: 0 });
    // A lost agent makes the plain rule go first, under a plan as well.
    fixture.leave("c");
    fixture.forecastQps = 700;
    await round();
    return fixture.desired.documents.get("c");
  };

  test.each(["fleet-plan", "active-agents"] as const)("are theirs again under %s", async (policy) => {
    expect(await fall(policy)).toMatchObject({ role: "standby", powerMode: null, powerModeUntilMs: null });
  });

  test("stay as they are where the controller gives none", async () => {
    expect(await fall("active-agents", false)).toMatchObject({ role: "standby", powerMode: "70W" });
  });
});

describe("what is configured", () => {
  test("a plan is made only under scaling.policy fleet-plan, and not while the fleet is frozen", async () => {
    fixture.forecastQps = 300;
    fixture.report(calm);
    await fixture.begin();
    await round();
    expect(fixture.planned).toEqual([]);
    await fixture.begin({ policy: "fleet-plan" });
    fixture.frozen = "fair";
    await round();
    expect(fixture.planned).toEqual([]);
    fixture.frozen = null;
    await round();
    expect(fixture.planned.length).toBe(1);
  });

  test("rented agents are devices like others where no plan is made", async () => {
    const offer = { id: "spot", kind: "spot", capacityQps: 350, agents: ["c", "d"] };
    const cloud = parseConfig(CloudConfig, [offer], "test");
    fixture.forecastQps = 812;
    fixture.report(calm);
    await fixture.begin({ cloud });
    await round();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
  });

  test("the horizon says how far the forecast counts", async () => {
    fixture.forecastQps = [...new Array(5).fill(100), ...new Array(10).fill(2000)];
    fixture.report(calm);
    await fixture.begin({ horizonMinutes: 5 });
    await round();
    expect((await newest()).inputs).toMatchObject({ forecastPeakQps: 100 });
    await fixture.begin({ horizonMinutes: 6 });
    await round();
    expect((await newest()).inputs).toMatchObject({ forecastPeakQps: 2000 });
  });

  test("without any traffic on record no forecast is asked for", async () => {
    await fixture.begin();
    await round();
    expect(fixture.histories).toEqual([]);
    expect(fixture.loop.latestForecast()).toBeNull();
    expect(await fixture.kinds()).toEqual(["hold no-data"]);
  });

  test("a forecast that fails, or has no finite rate, is no forecast", async () => {
    fixture.forecastQps = 300;
    fixture.report(calm);
    await fixture.begin();
    await round();
    expect(fixture.loop.latestForecast()).toMatchObject({ model: "test" });
    fixture.forecastQps = new Error("no model");
    await round();
    expect(fixture.loop.latestForecast()).toBeNull();
    fixture.forecastQps = Number.NaN;
    fixture.nextMinute({ a: 900, b: 900, c: 0, d: 0 });
    await round();
    expect((await newest()).inputs).toMatchObject({ forecastPeakQps: null, liveQps: 1800 });
  });
});

describe("a decision", () => {
  test("is told as it is made, and is the latest until the next", async () => {
    const told: string[] = [];
    fixture.report(calm);
    const rounds: [number, boolean][] = [];
    const onRound = (tookMs: number, isUrgent: boolean) => void rounds.push([tookMs, isUrgent]);
    await fixture.begin({}, { onDecision: ({ kind }) => told.push(kind), onRound });
    expect(fixture.loop.latest()).toBeNull();
    await round();
    expect(told).toEqual(["hold"]);
    expect(rounds).toEqual([[expect.any(Number), false]]);
    expect(rounds[0]?.[0]).toBeGreaterThan(0);
    expect(fixture.loop.latest()).toMatchObject({
      atMs: fixture.nowMs,
      decision: { kind: "hold", rule: "sufficient" },
    });
  });

  test("keeps what it rests on", async () => {
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100 });
    fixture.join("e", "active");
    await fixture.begin();
    await round();
    expect((await newest()).inputs).toMatchObject({
      ...{ liveQps: 200, forecastPeakQps: 812, forecastModel: "test", agentForecastPeakQps: null, missingData: ["e"] },
      proposals: [{ rule: "present rate" }, { rule: "forecast", agents: 3 }, {}],
    });
  });

  test("keeps the agents it is about, and a handful of the others", async () => {
    for (let index = 100; index < 250; index += 1) fixture.join(`x${index}`, "standby");
    fixture.forecastQps = 812;
    // The only one that can be chosen is the last by name.
    fixture.join("zz", "standby");
    for (const { agentId, presence } of fixture.fleet.agents()) {
      if (presence?.role === "standby" && agentId !== "zz") fixture.leave(agentId);
    }
    fixture.report({ a: 100, b: 100 });
    await fixture.begin();
    await round();
    const kept = async () =>
      ((await newest()).inputs["candidates"] as { agentId: string }[]).map(({ agentId }) => agentId);
    expect((await kept()).slice(0, 3)).toEqual(["zz", "a", "b"]);
    expect((await kept()).length).toBe(100);
    fixture.forecastQps = 300;
    fixture.obey("zz");
    await round();
    expect((await kept()).length).toBe(10);
  });

  test("to hold is a row of its own when the rule, the number that serves, or what is between them has changed", async () => {
    fixture.report(calm);
    await fixture.begin();
    await round();
    await round();
    expect(await fixture.kinds()).toEqual(["hold sufficient"]);
    fixture.join("c", "active");
    fixture.report({ c: 0 });
    await round();
    expect((await fixture.kinds()).length).toBe(2);
    await fixture.overrides.apply("d", { role: "standby", expiresInS: 30 });
    fixture.nextMinute(calm);
    await round();
    // The override's end and the hold after it.
    expect((await fixture.kinds()).slice(2)).toEqual([
      "override override",
      "override-ended override-expired",
      "hold stabilising",
    ]);
  });

  test("that was stopped is the last one", async () => {
    fixture.report(calm);
    await fixture.begin();
    const running = fixture.loop.run();
    await fixture.loop.stop();
    await running;
    const before = await fixture.kinds();
    await fixture.loop.run();
    expect(await fixture.kinds()).toEqual(before);
  });

  test("that fails does not keep the next from being made", async () => {
    fixture.report(calm);
    await fixture.begin();
    const { fleet } = fixture;
    const { healClock } = fleet;
    fleet.healClock = () => {
      throw new Error("once");
    };
    expect(await round().catch(({ message }) => message)).toBe("once");
    fleet.healClock = healClock;
    await round();
    expect(await fixture.kinds()).toEqual(["hold sufficient"]);
  });
});

describe("peaks of earlier decisions", () => {
  test("count as long as the stabilisation window, and those that lie ahead of a clock set back do not", async () => {
    const config = { stabilizationMs: 10 * minuteMs, minReplicas: 1 };
    fixture.forecastQps = 1000;
    fixture.report(calm);
    await fixture.begin(config);
    await round();
    fixture.forecastQps = 10;
    for (let minute = 1; minute <= 10; minute += 1) {
      fixture.nextMinute(calm);
      await round();
    }
    expect((await newest()).inputs).toMatchObject({ windowPeakQps: 1000 });
    fixture.nextMinute(calm);
    await round();
    expect((await newest()).inputs).toMatchObject({ windowPeakQps: 200 });
    fixture.forecastQps = 1000;
    await round();
    fixture.forecastQps = 10;
    fixture.nowMs -= 2000;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.loop.latest()?.decision.figures.windowPeakQps).toBe(200);
  });
});

describe("a clock that jumps", () => {
  const watched = async () => {
    fixture.join("c", "active");
    fixture.report({ a: 1, b: 1, c: 1, d: 0 });
    await fixture.begin({ stabilizationMs: 4 * minuteMs });
    await round();
    for (let minute = 0; minute < 6; minute += 1) {
      fixture.nextMinute({ a: 200, b: 200, c: 200, d: 0 });
      await round();
    }
  };
  const after = async (jumpMs: number) => {
    await watched();
    fixture.nowMs += jumpMs;
    heard("a", "b", "c", "d");
    fixture.report({ a: 200, b: 200, c: 200, d: 0 });
    fixture.forecastQps = 1;
    await round();
    return fixture.loop.latest()?.decision.rule;
  };
  // Six hundred are carried by three; with the window watched nothing but the need keeps them.
  test("by three rounds, or a little back, leaves nothing to watch anew but the window", async () => {
    expect(await after(3 * minuteMs)).toBe("sufficient");
  });

  test("back, even a little, begins the warm-up again", async () => {
    await watched();
    await fixture.begin({ warmUpMs: 2 * minuteMs });
    fixture.nowMs += 3 * minuteMs;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.loop.latest()?.decision.rule).not.toBe("warming-up");
    fixture.nowMs -= 1;
    await round();
    expect(fixture.loop.latest()?.decision.rule).toBe("warming-up");
  });

  test.each([
    ["no further than a silent agent counts, it does not", 180_000, "no-data"],
    ["further, it begins again", 180_001, "warming-up"],
  ])("ahead: %s", async (_name, jumpMs, rule) => {
    await fixture.begin({ warmUpMs: 2 * minuteMs });
    fixture.nowMs += 3 * minuteMs;
    heard("a", "b", "c", "d");
    await round();
    fixture.nowMs += jumpMs;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.loop.latest()?.decision.rule as string).toBe(rule);
  });

  test("before the start ends no warm-up early and stretches none", async () => {
    await fixture.begin({ warmUpMs: 2 * minuteMs });
    fixture.nowMs -= 3_600_000;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.loop.latest()?.decision.rule).toBe("warming-up");
    fixture.nowMs += 2 * minuteMs;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.loop.latest()?.decision.rule).not.toBe("warming-up");
  });
});

describe("documents that agents have not taken in", () => {
  const told = async () => {
    await fixture.begin();
    await fixture.desired.change("c", { role: "standby" }, "test");
    fixture.report(calm);
    fixture.broker.published.length = 0;
  };

  test("are said again after a round, not sooner", async () => {
    await told();
    fixture.nowMs += minuteMs - 1;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.publishedRoles()).toEqual([]);
    fixture.nowMs += 1;
    await round();
    expect(fixture.publishedRoles()).toEqual(["c standby 1"]);
  });

  test("are not said again to an agent that has it, or is offline", async () => {
    await told();
    fixture.nowMs += minuteMs;
    heard("a", "b", "c", "d");
    fixture.reports("c", { desiredVersion: 1, role: "standby" });
    await round();
    fixture.reports("c", { desiredVersion: null, role: "standby" });
    fixture.leave("c");
    await round();
    expect(fixture.publishedRoles()).toEqual([]);
  });

  test("that are older than what the agent holds are made anew, above it", async () => {
    await told();
    fixture.nowMs += minuteMs;
    heard("a", "b", "c", "d");
    fixture.reports("c", { desiredVersion: 7, role: "standby" });
    await round();
    expect(fixture.publishedRoles()).toEqual(["c standby 8"]);
  });
});

describe("an override", () => {
  test("holds to the millisecond, and ends with its modes; what it was is on record", async () => {
    fixture.report(calm);
    await fixture.begin();
    await fixture.overrides.apply("b", { role: "active", powerMode: "70W", powerModeCap: "70W", expiresInS: 60 });
    fixture.nowMs += minuteMs - 1;
    heard("a", "b", "c", "d");
    await round();
    expect(fixture.desired.overrides.size).toBe(1);
    fixture.nowMs += 1;
    await round();
    expect(fixture.desired.overrides.size).toBe(0);
    const [ended] = await fixture.store.decisions({ limit: 9, kind: "override-ended" });
    expect(ended).toMatchObject({ rule: "override-expired", agents: ["b"], inputs: { powerMode: "70W" } });
    expect(fixture.desired.documents.get("b")).toMatchObject({ role: "active", powerMode: null });
    expect(fixture.desired.documents.get("b")?.powerModeCap ?? null).toBeNull();
  });
});

describe("machines", () => {
  const machines = () => {
    const looks = { count: 0 };
    const parts = {
      machines: {
        unavailability: (agentId: string) => (agentId === "c" ? null : undefined),
        async reconcile() {
          looks.count += 1;
        },
      },
    };
    return { looks, parts };
  };

  test("are looked at after each decision, but not while the fleet is frozen or scaling is off", async () => {
    const { looks, parts } = machines();
    fixture.report(calm);
    await fixture.begin({}, parts);
    await round();
    expect(looks.count).toBe(1);
    fixture.frozen = "fair";
    await round();
    expect(looks.count).toBe(1);
    fixture.frozen = null;
    await fixture.begin({ enabled: false }, parts);
    await round();
    expect(looks.count).toBe(1);
  });

  test("make an agent that is off one that can be chosen", async () => {
    const { parts } = machines();
    fixture.leave("c");
    fixture.leave("d");
    fixture.forecastQps = 812;
    fixture.report({ a: 100, b: 100 });
    await fixture.begin({}, parts);
    await round();
    expect(fixture.desiredRoles()).toEqual(["c active 1"]);
  });
});

describe("a policy", () => {
  const begin = async (policy: object, config: Partial<ScalingConfig> = {}) => {
    const looks: FleetLook[] = [];
    const observed: number[] = [];
    await fixture.begin(config, {
      policy: {
        observe: (history) => observed.push(history.length),
        decide(look) {
          looks.push(look);
          const { serving, ...seen } = look;
          const observation = parseConfig(ScalingObservation, { ...seen }, "test");
          return { ...decideScaling(parseScalingPolicy(policy, "test"), observation), reason: "because" };
        },
      },
    });
    return { looks, observed };
  };

  test("is asked with the fleet as it is, and told of each forecast", async () => {
    const { looks, observed } = await begin({ minReplicas: 1 }, { warmUpMs: 90_000 });
    fixture.report({ a: 100, b: 100, c: 0 });
    fixture.join("e", "active");
    fixture.fleet.put({ ...fixture.fleet.get("e")!, presence: aPresence({ agentId: "e", models: [] }) });
    fixture.nowMs += 30_000;
    await round();
    expect(looks[0]).toMatchObject({
      ...{ nowMs: fixture.nowMs, currentReplicas: 3, readyReplicas: 2, liveQps: 200, missingData: ["e"] },
      ...{ warmUpLeftS: 60, frozen: null },
      serving: [
        { agentId: "a", minute: { agentId: "a" } },
        { agentId: "b", minute: { agentId: "b" } },
      ],
    });
    expect(observed).toEqual([1]);
    fixture.frozen = "fair";
    fixture.nowMs += 170_000;
    heard("a", "b", "e");
    await round();
    expect(looks[1]).toMatchObject({ warmUpLeftS: 0, frozen: "fair", liveQps: null });
    expect(looks[1]?.serving.map(({ minute }) => minute)).toEqual([null, null]);
  });

  test("that has nothing to change in preview leaves no row, and a change of mind leaves another", async () => {
    const policy = { name: "next", mode: "preview", minReplicas: 1, load: true };
    fixture.report({ a: 280, b: 280, c: 0, d: 0 });
    await begin(policy, { enabled: false });
    await round();
    expect(await fixture.store.decisions({ limit: 9, kind: "preview" })).toEqual([]);
    for (const qps of [500, 280, 500]) {
      fixture.nextMinute({ a: qps, b: qps, c: 0, d: 0 });
      await round();
    }
    const previews = await fixture.store.decisions({ limit: 9, kind: "preview" });
    expect(previews.map(({ rule }) => rule)).toEqual(["scale-out", "scale-out"]);
  });

  test("in preview sets no limits and says nothing in the reason", async () => {
    fixture.report(calm);
    await begin({ name: "next", mode: "preview", minReplicas: 1, maxReplicas: 1 });
    await round();
    expect(fixture.desiredRoles()).toEqual([]);
    const { reason, inputs } = await newest();
    expect(reason).not.toContain("policy");
    expect(inputs["scaling"]).toMatchObject({ acts: false });
  });

  test("leaves room to the plan within its bounds", async () => {
    fixture.forecastQps = 10;
    fixture.report({ a: 5, b: 5, c: 0, d: 0 });
    await begin({ minReplicas: 1, maxReplicas: 3, schedules: [] }, { policy: "fleet-plan" });
    await round();
    expect(fixture.planned.length).toBe(1);
  });
});

describe("the modes of a plan", () => {
  const { plan } = parseConfig(ScalingConfig, { plan: { standbyWatts: 5, amortisationShare: 0 } }, "test");
  const begin = (config: Partial<ScalingConfig> = {}) =>
    fixture.begin({ policy: "fleet-plan", minReplicas: 2, maxReplicas: 2, plan, ...config });
  const hold = async (leftMs: number, forecastQps: number | Error = 500) => {
    const powerModeUntilMs = fixture.nowMs + leftMs;
    for (const agentId of ["a", "b"]) {
      await fixture.desired.change(agentId, { role: "active", powerMode: "MAXN", powerModeUntilMs }, "plan");
      fixture.obey(agentId);
    }
    fixture.forecastQps = forecastQps;
    fixture.report({ a: 250, b: 250, c: 0, d: 0 });
    await round();
    return ["a", "b"].map((agentId) => (fixture.desired.documents.get(agentId)?.powerModeUntilMs ?? 0) - fixture.nowMs);
  };

  test("are renewed when half of their time is over", async () => {
    await begin();
    expect(await hold(plan.modeHoldMs / 2)).toEqual([plan.modeHoldMs, plan.modeHoldMs]);
  });

  test("and not before", async () => {
    await begin();
    expect(await hold(plan.modeHoldMs / 2 + 1)).toEqual([plan.modeHoldMs / 2 + 1, plan.modeHoldMs / 2 + 1]);
  });

  test("nor where no plan was followed", async () => {
    await begin();
    expect(await hold(1000, new Error("no model"))).toEqual([1000, 1000]);
  });

  test("nor where scaling is switched off, or an operator holds another", async () => {
    await begin({ enabled: false });
    expect(await hold(1000)).toEqual([1000, 1000]);
    await begin();
    await fixture.overrides.apply("a", { powerMode: "MAXN", expiresInS: 2 });
    await round();
    expect(fixture.desired.documents.get("a")?.powerModeUntilMs).toBe(fixture.nowMs + 2000);
  });
});
