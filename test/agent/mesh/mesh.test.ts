import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import pino from "pino";
import { decideRole, type RoleDecision, type RoleInputs } from "#agent/mesh/decide-role.ts";
import { createDesiredDocument } from "#agent/mesh/desired-document.ts";
import { explainRole } from "#agent/mesh/explain-role.ts";
import { createMembership } from "#agent/mesh/membership.ts";
import { createPeers } from "#agent/mesh/peers.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import type { ControllerState, Desired, Presence } from "#protocol/messages.ts";

const standby: Desired = {
  v: 1,
  agentId: "a",
  version: 3,
  issuedAtMs: 100,
  role: "standby",
  powerMode: null,
  powerModeUntilMs: null,
  reason: "two agents carry the night",
};
const base: RoleInputs = {
  desired: standby,
  configuredRole: "active",
  stopping: false,
  drainedByCommand: false,
  brokerConnected: true,
  controllerOnline: true,
  servingPeerCount: 1,
};

describe("decideRole", () => {
  const asDesired = { role: "standby", source: "desired", desiredReason: "two agents carry the night" } as const;
  test.each([
    ["no document: as configured", { desired: null }, { role: "active", source: "configuration" }],
    [
      "no document: configured standby",
      { desired: null, configuredRole: "standby" },
      { role: "standby", source: "configuration" },
    ],
    ["the document decides", {}, asDesired],
    ["also with the controller offline while a peer serves", { controllerOnline: false }, asDesired],
    [
      "also while the broker is away: peers may well serve",
      { brokerConnected: false, controllerOnline: false, servingPeerCount: 0 },
      asDesired,
    ],
    ["a controller may switch all off", { servingPeerCount: 0 }, asDesired],
    [
      "no agent left to serve",
      { controllerOnline: false, servingPeerCount: 0 },
      { role: "active", source: "last-resort", desiredRole: "standby" },
    ],
    [
      "drained by command",
      { drainedByCommand: true, controllerOnline: false, servingPeerCount: 0 },
      { role: "draining", source: "command" },
    ],
    ["stopping before a command", { stopping: true, drainedByCommand: true }, { role: "draining", source: "stopping" }],
    [
      "stopping comes first",
      { stopping: true, controllerOnline: false, servingPeerCount: 0 },
      { role: "draining", source: "stopping" },
    ],
    [
      "active stays active",
      { desired: { ...standby, role: "active" }, controllerOnline: false, servingPeerCount: 0 },
      { ...asDesired, role: "active" },
    ],
  ] as [string, Partial<RoleInputs>, RoleDecision][])("%s", (_name, change, expected) => {
    expect(decideRole({ ...base, ...change })).toEqual(expected);
  });

  test.each([
    [{ role: "draining", source: "stopping" }, "the agent is stopping"],
    [{ role: "draining", source: "command" }, "drained by command"],
    [{ role: "active", source: "configuration" }, "no instructions from a controller yet"],
    [asDesired, "two agents carry the night"],
    [
      { role: "active", source: "last-resort", desiredRole: "standby" },
      "desired is standby, but the controller is offline and no other agent serves",
    ],
  ] as [RoleDecision, string][])("%j is explained", (decision, sentence) => {
    expect(explainRole(decision)).toBe(sentence);
  });
});

describe("peers", () => {
  const presence = (agentId: string, change: Partial<Presence> = {}): Presence => ({
    v: 1,
    agentId,
    bootId: "b1",
    sentAtMs: 1,
    status: "online",
    role: "active",
    url: `http://${agentId}`,
    region: "",
    version: "1",
    models: [],
    ...change,
  });

  test("only others that are online and active serve", () => {
    const peers = createPeers({ ownAgentId: "me", brokerUrl: "mqtt://10.0.0.1" });
    for (const seen of [
      presence("me"),
      presence("z"),
      presence("b"),
      presence("off", { status: "offline" }),
      presence("idle", { role: "standby" }),
    ]) {
      peers.observe(seen);
    }
    expect(peers.serving()).toEqual([
      { agentId: "b", url: "http://b" },
      { agentId: "z", url: "http://z" },
    ]);
  });

  test("the late will of an old session does not hide the new one; its own will does", () => {
    const peers = createPeers({ ownAgentId: "me", brokerUrl: "mqtt://10.0.0.1" });
    peers.observe(presence("p", { bootId: "new" }));
    peers.observe(presence("p", { bootId: "old", status: "offline" }));
    expect(peers.serving()).toHaveLength(1);
    peers.observe(presence("p", { bootId: "new", status: "offline" }));
    expect(peers.serving()).toEqual([]);
  });
});

describe("desired document", () => {
  const log = pino({ level: "silent" });
  function openState(): Database {
    const database = new Database(":memory:", { strict: true });
    for (const migration of agentStateMigrations) database.run(migration);
    return database;
  }

  test("takes newer versions only, and survives a restart", () => {
    const database = openState();
    const document = createDesiredDocument(database, () => 1000, log);
    expect(document.current()).toBeNull();
    expect(document.accept(standby)).toBe(true);
    expect(document.accept(standby)).toBe(false);
    expect(document.accept({ ...standby, version: 2, issuedAtMs: 90 })).toBe(false);
    expect(document.accept({ ...standby, version: 4, role: "active" })).toBe(true);
    expect(createDesiredDocument(database, () => 1000, log).current()).toMatchObject({ version: 4, role: "active" });
  });

  test("a controller that lost its store and counts from one again is followed", () => {
    const document = createDesiredDocument(openState(), () => 1000, log);
    document.accept(standby);
    expect(document.accept({ ...standby, version: 1, issuedAtMs: 200, role: "active" })).toBe(true);
    expect(document.current()?.role).toBe("active");
  });

  test("a stored document that can't be read is as good as none", () => {
    const database = openState();
    database.run("INSERT INTO document VALUES ('desired', '{\"v\":9}')");
    expect(createDesiredDocument(database, () => 1000, log).current()).toBeNull();
  });
});

describe("membership", () => {
  const controller = (status: ControllerState["status"]): ControllerState => ({
    v: 1,
    status,
    instanceId: "c",
    version: "1",
    sentAtMs: 1,
  });
  const peer: Presence = {
    v: 1,
    agentId: "b",
    bootId: "b1",
    sentAtMs: 1,
    status: "online",
    role: "active",
    url: "http://b",
    region: "",
    version: "1",
    models: [],
  };
  function join(nowMs = () => 1000, realNowMs = Date.now) {
    const database = new Database(":memory:", { strict: true });
    for (const migration of agentStateMigrations) database.run(migration);
    const log = pino({ level: "silent" });
    return createMembership({
      configuredRole: "active",
      document: createDesiredDocument(database, () => 1000, log),
      peers: createPeers({ ownAgentId: "a", brokerUrl: "mqtt://10.0.0.1", realNowMs }),
      brokerConnected: () => true,
      nowMs,
      log,
    });
  }

  test("no controller is online until it is heard of, and a new connection does not end that", () => {
    const membership = join();
    expect(membership.controllerOnline).toBe(false);
    membership.observeController(controller("online"));
    membership.connectionChanged(true);
    expect(membership.controllerOnline).toBe(true);
    membership.observeController(controller("offline"));
    expect(membership.controllerOnline).toBe(false);
  });

  test("a peer that a new connection does not tell of is forgotten", () => {
    let realMs = 0;
    const membership = join(undefined, () => realMs);
    membership.observePresence({ ...peer, agentId: "p", url: "http://10.0.0.9:1" });
    membership.connectionChanged(false);
    membership.connectionChanged(true);
    expect(membership.servingPeers()).toHaveLength(1);
    realMs = 30_000;
    expect(membership.servingPeers()).toEqual([]);
  });

  test("a role changes only when it is decided anew, and that says whether it did", () => {
    const membership = join();
    membership.observeController(controller("online"));
    expect(membership.role).toBe("active");
    membership.accept(standby);
    expect(membership.role).toBe("active");
    expect(membership.refresh()).toBe(true);
    expect(membership.role).toBe("standby");
    expect(membership.refresh()).toBe(false);
    expect(membership.accept(standby)).toBe(false);
  });

  test("a standby agent serves once controller and peers are gone, and stands by again when one is back", () => {
    const membership = join();
    membership.observeController(controller("online"));
    membership.accept(standby);
    membership.refresh();
    membership.connectionChanged(false);
    expect(membership.controllerOnline).toBe(false);
    membership.refresh();
    expect(membership.decision).toMatchObject({ role: "active", source: "last-resort" });
    membership.observePresence(peer);
    expect(membership.servingPeers()).toEqual([{ agentId: "b", url: "http://b" }]);
    membership.refresh();
    expect(membership.role).toBe("standby");
  });

  test("a command to drain ends by itself, or with the next document; nothing of it is stored", () => {
    let now = 1000;
    const membership = join(() => now);
    membership.observeController(controller("online"));
    const roleNow = () => {
      membership.refresh();
      return membership.role;
    };
    membership.drain(now + 500);
    expect(roleNow()).toBe("draining");
    expect(membership.desired).toBeNull();
    now += 500;
    expect(roleNow()).toBe("active");
    membership.drain(now + 500);
    expect(roleNow()).toBe("draining");
    expect(membership.accept(standby)).toBe(true);
    expect(roleNow()).toBe("standby");
    membership.drain(now + 500);
    // The same document again is no new word.
    expect(membership.accept(standby)).toBe(false);
    expect(roleNow()).toBe("draining");
  });

  test("who stops drains, whatever the document says", () => {
    const membership = join();
    membership.beginStop();
    membership.refresh();
    expect(membership.role).toBe("draining");
  });
});
