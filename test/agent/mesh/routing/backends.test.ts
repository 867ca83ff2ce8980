import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { Backends } from "#agent/mesh/routing/backends.ts";
import type { MeshPeer } from "#agent/mesh/routing/remote.ts";

const model = "mini";
const routed = { model, space: "s", texts: 1, tokens: 10, regions: null };

function backendsOf(offer: object) {
  const offers = [{ name: "spot", kind: "spot", url: "http://127.0.0.1:1", models: { [model]: model }, ...offer }];
  const config = Value.Parse(MeshConfig, { offers }) as MeshConfig;
  return new Backends({ config, ownId: "own", peers: () => [], nowMs: () => 0, random: () => 0.5 });
}

test.each([
  { name: "more than it may be used for", told: 5_000, capacity: 200 },
  { name: "less", told: 50, capacity: 50 },
  { name: "nothing", told: null, capacity: 200 },
])("an offer of 200 texts/s that tells of $name counts as $capacity", ({ told, capacity }) => {
  const backends = backendsOf({ capacityQps: 200 });
  const [spot] = backends.remotes(model);
  if (spot === undefined) throw new Error("expected an offer");
  backends.begin(spot, routed);
  const load = { queued: 0, computing: 0, capacityQps: told, utilization: 0 };
  backends.end(spot, routed, { outcome: "answered", ms: 5, load });
  expect(backends.candidates(routed, null, [spot], "")[0]?.capacity).toBe(capacity);
});

test("a peer that states a hundred times its capacity is not believed once its answers and those of others tell, and is full as one of less", () => {
  let nowMs = 0;
  const peer = (agentId: string, qps: number): MeshPeer => ({
    ...{ agentId, bootId: "boot", url: "http://127.0.0.1:1", region: "", spaces: { [model]: "s" }, qps },
    ...{ usdPerRequest: 0, silent: false },
  });
  const peers = [peer("honest", 100), peer("twice", 200), peer("liar", 10_000)];
  const config = Value.Parse(MeshConfig, {}) as MeshConfig;
  const backends = new Backends({ config, ownId: "own", peers: () => peers, nowMs: () => nowMs, random: () => 0.5 });
  const remotes = backends.remotes(model);
  for (let round = 0; round < 200; round += 1) {
    for (const remote of remotes) {
      nowMs += 10;
      const ms = remote.id === "twice" ? 7 : 12;
      const capacityQps = remote.kind === "peer" ? remote.peer.qps : null;
      backends.begin(remote, routed);
      // It works as hard as the honest one, of 100: by its own word a hundredth of that.
      const load = { queued: 0, computing: 1, capacityQps, utilization: remote.id === "liar" ? 0.006 : 0.6 };
      backends.end(remote, routed, { outcome: "answered", ms, tookMs: ms - 2, load });
    }
  }
  const [honest, twice, liar] = backends.candidates(routed, null, remotes, "");
  expect([honest?.capacity, twice?.capacity]).toEqual([100, 200]);
  expect(liar?.capacity).toBeGreaterThan(100);
  expect(liar?.capacity).toBeLessThan(600);
  expect(liar?.utilization).toBeGreaterThan(0.1);
  expect(honest?.utilization).toBe(0.6);
});
