import { beforeEach, describe, expect, test } from "bun:test";
import { observePresence, unknownAgent } from "#controller/fleet/agent-state.ts";
import { createDesiredDocuments, type DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { createFleet, type Fleet } from "#controller/fleet/fleet.ts";
import { observeFleet } from "#controller/scaling/active-agents/observe-fleet.ts";
import type { CapacityAct, CapacityProvider } from "#controller/scaling/actuators/capacity-provider.ts";
import { Machines } from "#controller/scaling/actuators/machines.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { aPresence } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";
import { createRecordingBroker } from "../../recording-broker.ts";

const log = createLogger("test", "silent");
const times = { startupMs: 90_000, lingerMs: 300_000, avoidForMs: 180_000 };
let nowMs: number;
let fleet: Fleet;
let store: Store;
let desired: DesiredDocuments;
let machines: Machines;
let acts: CapacityAct[];
let refuses: string | null;

beforeEach(() => {
  nowMs = 1_000_000;
  fleet = createFleet();
  store = createMemoryStore();
  desired = createDesiredDocuments({
    fleetName: "f",
    fleet,
    store,
    broker: createRecordingBroker(),
    nowMs: () => nowMs,
    log,
  });
  acts = [];
  refuses = null;
  const provider: CapacityProvider = {
    kind: "webhook",
    agentIds: ["thor-1", "thor-2"],
    async request(act) {
      acts.push(act);
      if (refuses !== null) throw new Error(refuses);
    },
    async stop() {},
  };
  machines = new Machines({
    providers: [provider],
    times,
    staleAfterMs: 180_000,
    fleet,
    desired,
    store,
    nowMs: () => nowMs,
    log,
  });
  machines.introduce();
});

const candidates = () => {
  const limits = {
    ...{ staleAfterMs: 180_000, maxDataAgeMs: 180_000, lostForMs: 600_000, liveWindowMinutes: 1 },
    ...{ capacityPerReplicaQps: 350, tariffUsdPerKwh: 0.15, horizonMinutes: 15 },
  };
  const { candidates } = observeFleet(
    fleet.agents(),
    desired.documents,
    desired.overrides,
    limits,
    nowMs,
    undefined,
    machines,
  );
  return Object.fromEntries(candidates.map(({ agentId, unavailable }) => [agentId, unavailable]));
};
const comes = (agentId: string, role: "active" | "standby") =>
  fleet.put(observePresence(fleet.get(agentId) ?? unknownAgent(agentId, nowMs), aPresence({ agentId, role }), nowMs)!);
const rules = async () =>
  (await store.decisions({ kind: "capacity", limit: 20 })).map(({ rule, agents }) => `${rule} ${agents[0]}`).reverse();

describe("an agent whose machine can be switched", () => {
  test("can be chosen before anybody has heard of it; nothing is asked until then", async () => {
    expect(candidates()).toEqual({ "thor-1": null, "thor-2": null });
    await machines.reconcile();
    expect(acts).toEqual([]);
  });

  test("is not forgotten by being made known again", () => {
    comes("thor-1", "standby");
    machines.introduce();
    expect(fleet.get("thor-1")?.presence?.role).toBe("standby");
  });

  test("is one that a provider names, and no other", () => {
    expect(["thor-1", "other"].map((agentId) => machines.switches(agentId))).toEqual([true, false]);
    expect(machines.unavailability("other", nowMs)).toBeUndefined();
  });

  test("is switched on once when it is to serve, and off after it has been on standby for a while", async () => {
    await desired.change("thor-1", { role: "active" }, "peak");
    for (let look = 0; look < 3; look += 1) await machines.reconcile();
    expect(acts.map(({ id, want }) => `${id} ${want}`)).toEqual(["thor-1-1-on-1 on"]);
    comes("thor-1", "active");
    await machines.reconcile();
    await desired.change("thor-1", { role: "standby" }, "calm");
    comes("thor-1", "standby");
    nowMs += 100_000;
    comes("thor-1", "standby");
    await machines.reconcile();
    expect(acts.length).toBe(1);
    nowMs += 200_000;
    comes("thor-1", "standby");
    await machines.reconcile();
    expect(acts.map(({ want }) => want)).toEqual(["on", "off"]);
    // It is still there, and is not asked twice.
    nowMs += 90_000;
    comes("thor-1", "standby");
    await machines.reconcile();
    expect(acts.length).toBe(2);
    expect(await rules()).toEqual(["switch-on thor-1", "switch-off thor-1"]);
  });

  test("that does not come in time is not counted on, is asked again, and is forgiven when it comes", async () => {
    await desired.change("thor-1", { role: "active" }, "peak");
    await machines.reconcile();
    nowMs += 90_001;
    expect(candidates()["thor-1"]).toBe("its machine was switched on 90 s ago and it is not online");
    await machines.reconcile();
    expect(acts.map(({ id }) => id)).toEqual(["thor-1-1-on-1", "thor-1-1-on-2"]);
    expect(await rules()).toEqual(["switch-on thor-1", "late thor-1"]);
    expect(candidates()["thor-1"]).toContain("attempt 2");
    await desired.change("thor-1", { role: "standby" }, "replaced");
    expect(candidates()["thor-1"]).toContain("failed to start");
    comes("thor-1", "standby");
    await machines.reconcile();
    expect(candidates()["thor-1"]).toBeNull();
  });

  test("whose provider refuses is not counted on, with the reason on record", async () => {
    refuses = "no quota";
    await desired.change("thor-2", { role: "active" }, "peak");
    await machines.reconcile();
    expect(candidates()).toEqual({ "thor-1": null, "thor-2": "its machine failed to start 0 s ago" });
    const [refused] = await store.decisions({ kind: "capacity", limit: 1 });
    expect(refused).toMatchObject({ rule: "refused", reason: "thor-2: switching its machine on failed: no quota" });
    expect(refused?.inputs).toEqual({ provider: "webhook" });
  });
});
