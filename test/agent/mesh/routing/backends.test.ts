import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { Backends } from "#agent/mesh/routing/backends.ts";

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
