import { join } from "node:path";
import type { Logger } from "#platform/log.ts";
import type { ControllerConfig } from "../../config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";
import { type BrokerAccess, createProcessCapacity } from "./process-capacity.ts";
import { createWebhookCapacity } from "./webhook-capacity.ts";

export interface ProviderContext {
  readonly stateDir: string;
  readonly log: Logger;
  /** Returns the broker access of an agent; known once the broker listens. */
  readonly broker: (agentId: string) => BrokerAccess;
}

export function createProviders(
  { fleet, scaling }: Pick<ControllerConfig, "fleet" | "scaling">,
  { stateDir, log, broker }: ProviderContext,
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
