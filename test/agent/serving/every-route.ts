import { Value } from "@sinclair/typebox/value";
import { Registry } from "prom-client";
import { agentRoutes } from "#agent/agent-routes.ts";
import type { AgentStatus } from "#agent/agent-status.ts";
import { exampleStatus } from "#agent/agent-status-example.ts";
import { Mesh } from "#agent/mesh/mesh.ts";
import { MeshConfig } from "#agent/mesh/mesh-config.ts";
import { TrainingStatus } from "#forecast/night/training-status.ts";
import { ForecastAccuracy } from "#protocol/messages.ts";
import { type TestConfig, type TestServing, testServing } from "./start-serving.ts";

/** The serving with every route that an agent has, those of its mesh and of its state too; nothing but these has to be told when one is added. */
export function testEveryRoute(config: TestConfig = {}): TestServing & { readonly mesh: Mesh } {
  const metrics = new Registry();
  const mesh = new Mesh({
    config: Value.Parse(MeshConfig, {}) as MeshConfig,
    ...{ agentId: "thor-1", region: "", apiKeys: config.apiKeys ?? [], requestTimeoutMs: 60_000, maxInputs: 2048 },
    ...{ peers: () => [], capacityQps: () => 100, electricityUsd: () => null, metrics },
  });
  const training = Value.Create(TrainingStatus) as TrainingStatus;
  const extraRoutes = agentRoutes({
    mesh,
    accuracyOf: () => Value.Create(ForecastAccuracy) as ForecastAccuracy,
    training: () => ({ status: () => training, rollBack: async () => undefined }),
    forecast: () => null,
    forecaster: () => ({ model: "lstm", backend: "wasm", reason: "a test" }),
    status: () => exampleStatus as unknown as AgentStatus,
    minutes: () => ({ nowMs: 0, minutes: [] }),
  });
  return Object.assign(testServing(config, { mesh, metrics, extraRoutes }), { mesh });
}
