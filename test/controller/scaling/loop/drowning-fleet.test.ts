import { beforeEach, describe, expect, test } from "bun:test";
import { observeBeat } from "#controller/fleet/beats.ts";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { explainScaling } from "#controller/scaling/policy/explain-scaling.ts";
import type { FleetLook } from "#controller/scaling/policy/live-policy.ts";
import { parseScalingPolicy } from "#controller/scaling/policy/parse-scaling-policy.ts";
import { ScalingObservation } from "#controller/scaling/policy/scaling-observation.ts";
import { KeptChanges } from "#controller/scaling/slo/kept-changes.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import type { CapacityEstimate } from "#protocol/messages.ts";
import { aBeat } from "../../../fakes/builders.ts";
import { LoopFixture } from "./loop-fixture.ts";

const policyOf = (input: object) => ({
  observe: () => undefined,
  decide({ serving, ...look }: FleetLook) {
    const policy = parseScalingPolicy(input, "test");
    const seen = parseConfig(ScalingObservation, { ...look }, "test");
    const decision = decideScaling(policy, seen);
    return { ...decision, reason: explainScaling(decision, policy, seen) };
  },
});

const measured: CapacityEstimate = {
  ...{ model: "mini", modeName: "MAXN", qps: 17, tokensPerText: 20, confidence: 0.9, source: "saturated" },
};

/** Two boards whose profile says 350 texts/s: a serves, b is on standby. */
class TwoBoards extends LoopFixture {
  constructor() {
    super();
    for (const agentId of ["c", "d"]) this.fleet.remove(agentId);
    this.join("b", "standby");
  }

  /** An agent tells of ten seconds with so many answered and refused requests per second, of one text each. */
  beats(agentId: string, answered: number, refused: number, capacity?: CapacityEstimate): void {
    const told = { requests: answered * 10, texts: answered * 10, ...(capacity === undefined ? {} : { capacity }) };
    const counts = { requests: refused * 10, texts: refused * 10, tokens: refused * 100 };
    const causes = refused === 0 ? [] : [{ cause: "queue" as const, ...counts }];
    const beat = aBeat({ agentId, sentAtMs: this.nowMs, model: { ...told, refused: causes } });
    const agent = this.fleet.get(agentId);
    const state = agent === undefined ? null : observeBeat(agent, beat, this.nowMs);
    if (state !== null) this.fleet.put(state);
  }

  modesLowered(): string[] {
    return this.desiredModes().filter((text) => text.endsWith("70W"));
  }

  async newest() {
    const [decision] = await this.store.decisions({ limit: 1 });
    return decision;
  }
}

describe.each(["active-agents", "fleet-plan"] as const)("a board that drowns, scaling by %s", (policy) => {
  let fixture: TwoBoards;
  const begin = (config = {}, parts = {}) => fixture.begin({ policy, minReplicas: 1, ...config }, parts);

  beforeEach(async () => {
    fixture = new TwoBoards();
    fixture.forecastQps = 18.5;
    await begin();
    fixture.report({ a: 18.5, b: 0 });
    await fixture.loop.run();
  });

  test("the other board is told to serve at once, the drowning one holds its highest mode, and a newcomer is told why", async () => {
    fixture.nowMs += 10_000;
    fixture.beats("a", 17, 43, measured);
    await fixture.loop.run(true);
    expect(fixture.desiredRoles()).toContain("b active 1");
    expect(fixture.desiredModes()).toContain("a active MAXN");
    expect(fixture.modesLowered()).toEqual([]);
    const decision = await fixture.newest();
    expect(decision).toMatchObject({ kind: "scale-out", rule: "overloaded", outcome: { activated: ["b"] } });
    expect(decision?.reason).toStartWith(
      "users were refused 43 of 60 requests/s in the last 10 s and a answers at most 17 texts/s (its profile says 350); 60 texts/s are to be carried",
    );
    expect(decision?.reason).toContain("-> switch on b");
    expect(decision?.inputs).toMatchObject({ slo: { rule: "refused", demandQps: 60 } });
  });

  test("also where the agent has measured nothing: what users feel outweighs the profile", async () => {
    fixture.nowMs += 10_000;
    fixture.beats("a", 17, 43);
    await fixture.loop.run(true);
    expect(fixture.desiredRoles()).toContain("b active 1");
    expect(await fixture.newest()).toMatchObject({ kind: "scale-out", rule: "slo-missed" });
  });

  test("with everything on it is overloaded, never enough; nothing stands by or slows down while users are refused", async () => {
    for (let tenSeconds = 0; tenSeconds < 120; tenSeconds += 1) {
      fixture.nowMs += 10_000;
      fixture.beats("a", 17, 43, measured);
      if (fixture.desired.documents.get("b")?.role === "active") fixture.beats("b", 17, 5, measured);
      if (tenSeconds % 6 === 0) fixture.report({ a: 60, b: 22 });
      await fixture.loop.run(true);
      for (const agentId of ["a", "b"]) if (fixture.desired.documents.has(agentId)) fixture.obey(agentId);
    }
    const kinds = await fixture.kinds();
    expect(kinds.filter((kind) => kind.includes("sufficient") || kind === "hold plan").length).toBeLessThanOrEqual(1);
    expect(kinds.at(-1)).toBe("hold overloaded");
    expect((await fixture.newest())?.reason).toContain("OVERLOADED: everything is on and carries 27.2 texts/s");
    expect(fixture.desiredRoles().some((text) => text.includes("standby"))).toBe(false);
    expect(fixture.modesLowered()).toEqual([]);
  });

  test("when the SLO is met again, the second board leaves after the stabilisation time", async () => {
    fixture.nowMs += 10_000;
    fixture.beats("a", 17, 43);
    await fixture.loop.run(true);
    for (let minute = 0; minute < 30; minute += 1) {
      for (const agentId of ["a", "b"]) if (fixture.desired.documents.has(agentId)) fixture.obey(agentId);
      fixture.nextMinute({ a: 5, b: 5 });
      fixture.beats("a", 5, 0);
      fixture.beats("b", 5, 0);
      fixture.forecastQps = 10;
      await fixture.loop.run();
    }
    expect(fixture.desiredRoles().filter((text) => text.includes("standby"))).toHaveLength(1);
  });

  test("without beats the minutes tell", async () => {
    fixture.nowMs += 60_000;
    const minuteStartMs = Math.floor(fixture.nowMs / 60_000) * 60_000 - 60_000;
    fixture.report({ a: 17, b: 0 });
    const state = fixture.fleet.get("a")!;
    const [minute] = state.recent.slice(-1);
    const traffic = { ...minute!.traffic, minuteStartMs, rejected: 43 * 60 };
    fixture.fleet.put({ ...state, recent: [{ ...minute!, traffic }] });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toContain("b active 1");
  });

  test("a policy's maximum is respected, and said", async () => {
    await begin({}, { policy: policyOf({ name: "night", minReplicas: 1, maxReplicas: 1 }) });
    fixture.nowMs += 10_000;
    fixture.beats("a", 17, 43, measured);
    await fixture.loop.run(true);
    expect(fixture.desiredRoles()).toEqual(["a active 1"]);
    await fixture.loop.run(true);
    expect(await fixture.newest()).toMatchObject({ kind: "hold", rule: "overloaded" });
    expect((await fixture.newest())?.reason).toContain("policy night allows 1");
  });

  test("a policy that counts by a capacity nothing has met gives way up to its maximum", async () => {
    await begin({}, { policy: policyOf({ name: "day", minReplicas: 1, maxReplicas: 2 }) });
    fixture.nowMs += 10_000;
    fixture.beats("a", 17, 43, measured);
    await fixture.loop.run(true);
    expect(fixture.desiredRoles()).toContain("b active 1");
  });

  test("frozen: nothing changes", async () => {
    fixture.frozen = "stocktaking";
    fixture.nowMs += 10_000;
    fixture.beats("a", 17, 43, measured);
    await fixture.loop.run(true);
    expect(fixture.desiredRoles()).toEqual([]);
  });
});

test("an urgent round does with the forecast of this minute, the next minute has its own", async () => {
  const fixture = new TwoBoards();
  await fixture.begin();
  fixture.report({ a: 10, b: 0 });
  await fixture.loop.run();
  await fixture.loop.run(true);
  expect(fixture.histories).toHaveLength(1);
  await fixture.loop.run();
  expect(fixture.histories).toHaveLength(2);
  fixture.nextMinute({ a: 10, b: 0 });
  await fixture.loop.run(true);
  expect(fixture.histories).toHaveLength(3);
});

describe("what was lost is taken back", () => {
  let fixture: TwoBoards;
  const calm = async (rates: Record<string, number>) => {
    fixture.nextMinute(rates);
    for (const [agentId, qps] of Object.entries(rates)) fixture.beats(agentId, qps, 0);
    await fixture.loop.run();
    for (const agentId of fixture.desired.documents.keys()) fixture.obey(agentId);
  };
  const left = () => fixture.desiredRoles().filter((text) => text.includes("standby"));

  test("an agent that left comes back when users lose by it, and does not leave again at once", async () => {
    fixture = new TwoBoards();
    fixture.join("b", "active");
    await fixture.begin({ minReplicas: 1, tolerance: 0, stabilizationMs: 60_000 });
    fixture.forecastQps = 20;
    fixture.report({ a: 10, b: 10 });
    await fixture.loop.run();
    for (let minute = 0; minute < 3 && left().length === 0; minute += 1) await calm({ a: 10, b: 10 });
    const [gone = ""] = (await fixture.newest())?.outcome.stoodBy ?? [];
    const stays = gone === "a" ? "b" : "a";
    expect(left()).toHaveLength(1);
    fixture.nowMs += 20_000;
    fixture.beats(stays, 15, 5);
    await fixture.loop.run(true);
    expect(fixture.desired.documents.get(gone)?.role).toBe("active");
    const decision = await fixture.newest();
    expect(decision).toMatchObject({ kind: "scale-out", rule: "returned", outcome: { activated: [gone] } });
    expect(decision?.reason).toContain("since agents were put on standby");
    expect(decision?.inputs["returned"]).toMatchObject({ kinds: ["scale-in"], burnBefore: 0, holdOffMs: 600_000 });
    const kept = await fixture.store.loadKept("slo-changes", KeptChanges);
    expect(kept).toEqual({ changes: [], holdOff: { untilMs: fixture.nowMs + 600_000, lengthMs: 600_000 } });
    fixture.obey(gone);
    const rules: (string | undefined)[] = [];
    for (let minute = 0; minute < 9; minute += 1) {
      await calm({ a: 5, b: 5 });
      rules.push((await fixture.newest())?.rule);
    }
    expect(rules).toContain("held-off");
    expect(fixture.desired.documents.get(gone)?.role).toBe("active");
    for (let minute = 0; minute < 15; minute += 1) await calm({ a: 5, b: 5 });
    expect((await fixture.kinds()).filter((kind) => kind === "scale-in peak")).toHaveLength(2);
  });

  test.each([
    { name: "the hold-off", restartAfter: "the return" },
    { name: "what is watched", restartAfter: "the change" },
  ])("a restart in between forgets $name not", async ({ restartAfter }) => {
    fixture = new TwoBoards();
    fixture.join("b", "active");
    const config = { minReplicas: 1, tolerance: 0, stabilizationMs: 60_000 };
    await fixture.begin(config);
    fixture.forecastQps = 20;
    fixture.report({ a: 10, b: 10 });
    await fixture.loop.run();
    for (let minute = 0; minute < 3 && left().length === 0; minute += 1) await calm({ a: 10, b: 10 });
    const [gone = ""] = (await fixture.newest())?.outcome.stoodBy ?? [];
    if (restartAfter === "the change") await fixture.begin(config);
    fixture.nowMs += 20_000;
    fixture.beats(gone === "a" ? "b" : "a", 15, 5);
    await fixture.loop.run(true);
    expect(await fixture.newest()).toMatchObject({ rule: "returned", inputs: { returned: { kinds: ["scale-in"] } } });
    const heldUntilMs = fixture.nowMs + 600_000;
    fixture.obey(gone);
    if (restartAfter === "the return") await fixture.begin(config);
    for (let minute = 0; minute < 9; minute += 1) await calm({ a: 5, b: 5 });
    expect(fixture.nowMs).toBeLessThan(heldUntilMs);
    expect((await fixture.newest())?.rule).toBe("held-off");
    expect(fixture.desired.documents.get(gone)?.role).toBe("active");
    for (let minute = 0; minute < 4; minute += 1) await calm({ a: 5, b: 5 });
    expect((await fixture.kinds()).filter((kind) => kind === "scale-in peak")).toHaveLength(2);
  });

  test("a policy that costs users is taken back; one that costs nothing stays", async () => {
    fixture = new TwoBoards();
    fixture.join("b", "active");
    const takenBack: string[] = [];
    let loadedAtMs = 1;
    const policy = {
      ...policyOf({ name: "night", minReplicas: 1, maxReplicas: 2, schedules: [] }),
      get loadedAtMs() {
        return loadedAtMs;
      },
      takeBack(reason: string) {
        takenBack.push(reason);
        loadedAtMs += 1;
        return true;
      },
    };
    await fixture.begin({}, { policy });
    fixture.report({ a: 10, b: 10 });
    await fixture.loop.run();
    loadedAtMs = 100;
    await calm({ a: 10, b: 10 });
    expect(takenBack).toEqual([]);
    fixture.nowMs += 20_000;
    fixture.beats("a", 15, 5);
    await fixture.loop.run(true);
    expect(takenBack).toEqual([expect.stringContaining("users were refused 5 of 20 requests/s")]);
    expect(await fixture.newest()).toMatchObject({ rule: "returned", inputs: { returned: { kinds: ["policy"] } } });
    fixture.nowMs += 10_000;
    fixture.beats("a", 15, 10);
    await fixture.loop.run(true);
    expect(takenBack).toHaveLength(1);
  });

  test("modes that the plan lowered", async () => {
    fixture = new TwoBoards();
    fixture.join("b", "active");
    for (const agentId of ["a", "b"]) fixture.reports(agentId, { powerMode: "MAXN" });
    await fixture.begin({ policy: "fleet-plan", stabilizationMs: 60_000, minReplicas: 2 });
    fixture.forecastQps = 20;
    for (let minute = 0; minute < 4 && fixture.modesLowered().length === 0; minute += 1) await calm({ a: 10, b: 10 });
    expect(fixture.modesLowered().length).toBeGreaterThan(0);
    fixture.nowMs += 20_000;
    fixture.beats("a", 15, 5);
    await fixture.loop.run(true);
    expect(await fixture.newest()).toMatchObject({
      rule: "returned",
      inputs: { returned: { kinds: ["lower-modes"] } },
    });
    const modes = new Set([...fixture.desired.documents.values()].map(({ powerMode }) => powerMode));
    expect([...modes]).toEqual(["MAXN"]);
  });
});
