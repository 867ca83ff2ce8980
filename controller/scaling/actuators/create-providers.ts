import { join } from "node:path";
import type { Logger } from "#platform/log.ts";
import type { ControllerConfig } from "../../config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";
import { type BrokerAccess, createProcessCapacity } from "./process-capacity.ts";
import { createWebhookCapacity } from "./webhook-capacity.ts";

export interface ProviderSurroundings {
  readonly stateDir: string;
  readonly log: Logger;
  /** Broker access of the agent with this id; known once the broker listens. */
  readonly broker: (agentId: string) => BrokerAccess;
}

/** The providers a configuration names. */
export function createProviders(
  { fleet, scaling }: Pick<ControllerConfig, "fleet" | "scaling">,
  { stateDir, log, broker }: ProviderSurroundings,
): CapacityProvider[] {
  const { capacity } = scaling;
  const agents = capacity.process;
  return [
    ...(agents.length === 0
      ? []
      : [createProcessCapacity({ agents, fleetName: fleet, broker, stateDir: join(stateDir, "agents"), log })]),
    ...capacity.webhooks.map((config) => createWebhookCapacity({ config, fleetName: fleet, environment: process.env })),
  ];
}
