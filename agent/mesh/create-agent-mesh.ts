import type { AgentConfig } from "../config.ts";
import type { Power } from "../power/power.ts";
import { electricityUsd } from "./electricity-price.ts";
import { Mesh, type MeshParts } from "./mesh.ts";

/** Creates an agent's place in the mesh, with its prices and its capacity in real time. */
export function createAgentMesh(
  parts: Pick<MeshParts, "agentId" | "metrics" | "peers" | "certificates" | "regionsOf" | "capacityQps"> & {
    readonly config: AgentConfig;
    /** Speed of the agent's clock. */
    readonly speed: number;
    readonly power: Pick<Power, "status">;
    /** Power mode now; null: unknown. */
    readonly modeName: () => string | null;
  },
): Mesh {
  const { config, speed, power, modeName, capacityQps, ...more } = parts;
  const { apiKeys, requestTimeoutMs, maxInputs } = config.serving;
  return new Mesh({
    ...{ ...more, config: config.mesh, region: config.region, apiKeys, requestTimeoutMs, maxInputs },
    capacityQps: (model) => {
      const qps = capacityQps(model);
      return qps === null ? null : qps * speed;
    },
    electricityUsd: (model) =>
      electricityUsd({
        qps: capacityQps(model),
        mode: power.status().modes.find(({ name }) => name === modeName()) ?? null,
        tariffUsdPerKwh: config.prices.tariffUsdPerKwh,
      }),
  });
}
