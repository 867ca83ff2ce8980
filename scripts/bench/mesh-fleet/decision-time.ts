import { Value } from "@sinclair/typebox/value";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { Backends } from "#agent/mesh/routing/backends.ts";
import { decideRoute } from "#agent/mesh/routing/decide-route.ts";
import type { MeshPeer, Remote } from "#agent/mesh/routing/remote.ts";
import { cpuMsOf } from "../../../test/fakes/cpu-time.ts";

const decisions = 20_000;

/** Returns the CPU time of one decision among twenty peers whose latency and load are known, in µs: describing them and choosing. */
export function decisionUs(): number {
  const peers = Array.from({ length: 20 }, (_, index): MeshPeer => {
    const id = `peer-${index}`;
    return {
      ...{
        agentId: id,
        bootId: "boot",
        url: "http://127.0.0.1:1",
        region: "",
        spaces: { model: "space" },
        silent: false,
      },
      ...{ qps: 100 + 10 * index, usdPerRequest: 1e-6 },
    };
  });
  const config = Value.Parse(MeshConfig, {}) as MeshConfig;
  const backends = new Backends({
    ...{ config, ownId: "own", peers: () => peers, nowMs: () => performance.now(), random: Math.random },
  });
  const request = { model: "model", space: "space", texts: 1, tokens: 24, regions: null };
  const load = { queued: 1, computing: 1, capacityQps: 200, utilization: 0.5 };
  const decide = () => {
    const remotes = backends.remotes("model");
    const decision = decideRoute({
      request: { timeLeftMs: 50, regions: null, tried: [] },
      candidates: backends.candidates(request, null, remotes, ""),
      rules: { spillAt: 0.8, alikeWithin: 0.1, late: "try" },
      draws: [Math.random(), Math.random(), Math.random()],
    });
    const chosen = decision.kind === "route" ? decision.backend : "";
    const remote = remotes.find(({ id }) => id === chosen) as Remote;
    backends.begin(remote, request);
    backends.end(remote, request, { outcome: "answered", ms: 8 + Math.random(), load });
  };
  const repeat = () => {
    for (let count = 0; count < decisions; count += 1) decide();
  };
  repeat();
  return (1000 * cpuMsOf(repeat)) / decisions;
}
