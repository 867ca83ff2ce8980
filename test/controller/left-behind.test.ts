import { describe, expect, test } from "bun:test";
import { observePresence } from "#controller/fleet/agent-state.ts";
import { Retirement } from "#controller/fleet/retire-agents.ts";
import { unavailability } from "#controller/scaling/active-agents/observe-fleet.ts";
import { createFleetFreeze } from "#controller/scaling/loop/fleet-freeze.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createLogger } from "#platform/log.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { Command, Desired } from "#protocol/messages.ts";
import { agentChannels } from "#protocol/topics.ts";
import { aDesired, aPresence } from "../fakes/builders.ts";
import { LoopFixture } from "./scaling/loop/loop-fixture.ts";

/**
 * Every state that a message or an order leaves with the controller has an owner that ends it, or an end of its own. A drain by command once
 * took an agent out of its fleet for good, since the role that it left in a document was nobody's.
 */

describe("what can leave a state behind; a new one needs an owner, an end and a test here", () => {
  test("the fields of a document: role (decisions), modes and caps (until a time), update (a roll-out, which takes it back when it is stopped)", () => {
    // order: the controller keeps none, and each later one replaces it at the agent.
    // term: tells two controllers apart, and each later one is higher.
    const meta = ["v", "agentId", "version", "issuedAtMs", "reason", "term", "order"];
    const states = Object.keys(Desired.properties).filter((field) => !meta.includes(field));
    // update: done once the version runs; a device that has given it up does not try it again (rollout.test.ts, fleet-updates.test.ts).
    const modes = ["powerMode", "powerModeCap", "powerModeCapUntilMs", "powerModeUntilMs"];
    expect(states.toSorted()).toEqual([...modes, "role", "update"]);
  });

  test("retained messages: they go with the agent", () => {
    const retained = Object.entries(agentChannels).flatMap(([channel, { retain }]) => (retain ? [channel] : []));
    expect(retained.toSorted()).toEqual(["desired", "presence", "reported"]);
  });

  test("commands: a rebirth leaves nothing, a drain ends by itself", () => {
    expect(Command.properties.kind.anyOf.map((kind) => kind.const as string)).toEqual(["rebirth", "drain"]);
  });

  test("tables of the store that decisions read", () => {
    const tables = controllerMigrations.join("\n").matchAll(/CREATE TABLE (?:IF NOT EXISTS )?(\w+)/g);
    // kept: hold-offs and what may be taken back, which the loop ends by their time (decision-loop's and live-policy's tests of a restart).
    const records = ["decision", "forecast_made", "minute", "service", "set_aside"];
    // Who may do what, and who did: no decision reads them.
    const access = ["api_key", "audit", "device", "join_token", "tenant", "tenant_job", "tenant_receipt"];
    // What it cost, for reports: no decision reads them.
    const costs = ["agent", "backfill", "device", "gap", "rolled", "stale", "unrated", "work"].map(
      (name) => `cost_${name}`,
    );
    const owned = [...records, ...access, ...costs];
    const states = [...tables].map(([, name = ""]) => name).filter((name) => !owned.includes(name));
    expect(states.toSorted()).toEqual(["agent", "desired", "freeze", "kept", "lease", "override"]);
  });
});

/** A fleet of which two agents have to serve and a is one of them. */
async function begin(config: Parameters<LoopFixture["begin"]>[0] = {}): Promise<LoopFixture> {
  const fixture = new LoopFixture();
  await fixture.begin(config);
  fixture.report({ a: 10, b: 10, c: 0, d: 0 });
  return fixture;
}
const presents = (fixture: LoopFixture, agentId: string, given: Parameters<typeof aPresence>[0]) => {
  const state = fixture.fleet.get(agentId)!;
  fixture.fleet.put(
    observePresence(state, { ...state.presence!, ...aPresence({ agentId, ...given }) }, fixture.nowMs)!,
  );
};
const later = async (fixture: LoopFixture, ms: number) => {
  fixture.nowMs += ms;
  fixture.report({ a: 10, b: 10, c: 0, d: 0 });
  await fixture.loop.run();
};
const documentOf = (fixture: LoopFixture, agentId: string) => fixture.desired.documents.get(agentId);

describe("a drain", () => {
  test("by command is never written into a document, whatever else is asked of the agent meanwhile", async () => {
    const fixture = await begin();
    presents(fixture, "a", { role: "draining" });
    await fixture.overrides.apply("a", { powerMode: "70W", expiresInS: 60 });
    expect(documentOf(fixture, "a")).toMatchObject({ role: "active", powerMode: "70W" });
    await fixture.loop.run();
    // It is replaced while it drains, by a role that decisions own.
    expect(documentOf(fixture, "a")?.role).toBe("standby");
    expect(fixture.desiredRoles()).toContain("c active 1");
    presents(fixture, "a", { role: "standby" });
    expect(unavailability(fixture.fleet.get("a")!, documentOf(fixture, "a"), fixture.nowMs, hourMs)).toBeNull();
  });

  test("by command of an agent without a document: it is counted on again as soon as it says so", async () => {
    const fixture = await begin();
    presents(fixture, "a", { role: "draining" });
    await fixture.loop.run();
    presents(fixture, "a", { role: "active" });
    expect(unavailability(fixture.fleet.get("a")!, documentOf(fixture, "a"), fixture.nowMs, hourMs)).toBeNull();
    await fixture.loop.run();
    expect(documentOf(fixture, "a")?.role ?? "active").not.toBe("draining");
  });

  test.each<[string, (fixture: LoopFixture) => Promise<unknown>]>([
    ["its override expires", (fixture) => later(fixture, 61_000)],
    ["its override is ended", (fixture) => fixture.overrides.end("a")],
    [
      "an override without a role replaces it",
      async (fixture) => {
        await fixture.overrides.apply("a", { powerMode: "70W", expiresInS: 3600 });
        await fixture.loop.run();
      },
    ],
  ])("by an operator ends when %s, and the agent serves again when it is needed", async (_name, end) => {
    const fixture = await begin();
    await fixture.overrides.apply("a", { role: "draining", expiresInS: 60 });
    expect(documentOf(fixture, "a")?.role).toBe("draining");
    await fixture.loop.run();
    expect(documentOf(fixture, "a")?.role).toBe("draining");
    await end(fixture);
    expect(documentOf(fixture, "a")?.role).toBe("standby");
    fixture.forecastQps = 5000;
    await later(fixture, minuteMs);
    expect(documentOf(fixture, "a")?.role).toBe("active");
  });

  test("in a document that an earlier version has left ends with the first round, across a restart, and is told", async () => {
    const fixture = await begin();
    await fixture.store.saveDesired(aDesired({ agentId: "a", version: 3, role: "draining" }));
    await fixture.begin();
    await fixture.loop.run();
    expect(documentOf(fixture, "a")?.role).not.toBe("draining");
    expect((await fixture.store.decisions({ limit: 9, kind: "note" })).map(({ rule }) => rule)).toEqual([
      "draining-ended",
    ]);
  });

  test("of an agent that stops is over when it is back", async () => {
    const fixture = await begin();
    presents(fixture, "a", { role: "draining" });
    presents(fixture, "a", { role: "draining", status: "offline" });
    await fixture.loop.run();
    expect(fixture.desiredRoles()).toContain("c active 1");
    presents(fixture, "a", { role: "active" });
    await later(fixture, minuteMs);
    expect(unavailability(fixture.fleet.get("a")!, documentOf(fixture, "a"), fixture.nowMs, hourMs)).toBeNull();
    expect(documentOf(fixture, "a")?.role ?? "active").toBe("active");
  });
});

describe("orders of operators", () => {
  test.each(["active", "standby"] as const)("the role %s: decisions own it again", async (role) => {
    const fixture = await begin({ stabilizationMs: 0, tolerance: 0, minReplicas: 1 });
    await fixture.overrides.apply("c", { role, expiresInS: 30 });
    await fixture.loop.run();
    expect(documentOf(fixture, "c")?.role).toBe(role);
    fixture.forecastQps = role === "active" ? 0 : 5000;
    for (let minute = 0; minute < 9; minute += 1) await later(fixture, minuteMs);
    expect(fixture.desired.overrides.size).toBe(0);
    expect(documentOf(fixture, "c")?.role).toBe(role === "active" ? "standby" : "active");
  });

  test("modes and caps go with their override", async () => {
    const fixture = await begin();
    await fixture.overrides.apply("a", { powerMode: "70W", powerModeCap: "70W", expiresInS: 60 });
    const { powerModeUntilMs, powerModeCapUntilMs } = documentOf(fixture, "a") ?? {};
    // Without a controller the agent ends them.
    expect([powerModeUntilMs, powerModeCapUntilMs]).toEqual([fixture.nowMs + 60_000, fixture.nowMs + 60_000]);
    await later(fixture, 61_000);
    const { powerMode, powerModeCap } = documentOf(fixture, "a") ?? {};
    expect([powerMode, powerModeCap ?? null]).toEqual([null, null]);
  });

  test("a freeze has an end of its own, or is ended", async () => {
    const fixture = await begin();
    const parts = { store: fixture.store, nowMs: () => fixture.nowMs, onChange: () => undefined };
    const freeze = createFleetFreeze(parts);
    await freeze.set("stocktaking", 60);
    fixture.nowMs += 60_000;
    expect(freeze.current()).toBeNull();
    await freeze.set("stocktaking", null);
    await freeze.end();
    const restarted = createFleetFreeze(parts);
    await restarted.recover();
    expect(restarted.current()).toBeNull();
  });
});

test("an agent that sleeps and does not wake is not counted on", async () => {
  const fixture = await begin();
  presents(fixture, "c", { role: "standby", asleep: { mac: null } });
  await fixture.desired.change("c", { role: "active" }, "needed");
  const unavailable = () =>
    unavailability(fixture.fleet.get("c")!, documentOf(fixture, "c"), fixture.nowMs, 24 * hourMs);
  expect(unavailable()).toBeNull();
  fixture.nowMs += 5 * minuteMs + 1;
  expect(unavailable()).toContain("was not woken");
});

test("an agent that is retired leaves no document, no override and no retained message", async () => {
  const fixture = await begin();
  const { fleet, desired, store } = fixture;
  await store.saveAgent(fleet.get("a")!);
  const cleared: (string | undefined)[] = [];
  const broker = {
    publish: async (topic: string, payload: string, { retain }: { readonly retain: boolean }) => {
      if (payload === "" && retain) cleared.push(topic.split("/").at(-1));
    },
  };
  await fixture.overrides.apply("a", { role: "draining", expiresInS: 3600 });
  const retirement = new Retirement({
    ...{ fleetName: "f", fleet, desired, store, broker, staleAfterMs: 180_000, retireAfterMs: 30 * 24 * hourMs },
    ...{ isConfigured: () => false, onRetired: () => undefined, listeningSinceMs: () => 0 },
    ...{ nowMs: () => fixture.nowMs, log: createLogger("test", "silent") },
  });
  fixture.nowMs += hourMs;
  await retirement.retire("a");
  await Bun.sleep(0);
  expect([await store.loadAgents(), await store.loadDesired(), await store.loadOverrides()]).toEqual([[], [], []]);
  expect(cleared.toSorted()).toEqual(["desired", "presence", "reported"]);
  expect(desired.documents.has("a") || desired.overrides.has("a")).toBe(false);
});
