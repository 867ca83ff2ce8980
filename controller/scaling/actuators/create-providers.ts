import { join } from "node:path";
import type { ControllerConfig } from "../../config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";
import { createProcessCapacity, type ProcessCapacityParts } from "./process-capacity.ts";
import { createWebhookCapacity } from "./webhook-capacity.ts";

export function createProviders(
  { fleet, scaling }: Pick<ControllerConfig, "fleet" | "scaling">,
  { stateDir, log, broker }: Pick<ProcessCapacityParts, "stateDir" | "log" | "broker">,
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
