import type { AgentConfig } from "#agent/config.ts";
import { UsageError } from "#platform/errors.ts";
import type { DeviceIdentity } from "./device-identity.ts";

/** Broker of an agent that has no other configured. */
export const defaultBrokerUrl = "mqtt://127.0.0.1:1883";
const defaultFleet = "default";

/** Address of the broker that a device learned of when it joined. */
export function brokerUrlOf({ broker, controllerUrl }: Pick<DeviceIdentity, "broker" | "controllerUrl">): string {
  if (broker.url !== null) return broker.url;
  return `${broker.tls ? "mqtts" : "mqtt"}://${new URL(controllerUrl).hostname}:${broker.port ?? 1883}`;
}

/**
 * Returns the configuration of a device that has joined: fleet, id and region are those of its certificate, and the broker is that of its
 * fleet unless another one is configured.
 * @throws UsageError when another fleet or id is configured.
 */
export function adoptIdentity(config: AgentConfig, joined: DeviceIdentity | null): AgentConfig {
  if (joined === null) return config;
  const { fleet, agentId, region } = joined;
  const advice = "remove it from the configuration, or join again with a new token";
  if (config.id !== null && config.id !== agentId)
    throw new UsageError(`id: this device has joined as ${agentId}, got ${config.id}: ${advice}`);
  if (config.fleet !== defaultFleet && config.fleet !== fleet)
    throw new UsageError(`fleet: this device has joined fleet ${fleet}, got ${config.fleet}: ${advice}`);
  const url = config.broker.url === defaultBrokerUrl ? brokerUrlOf(joined) : config.broker.url;
  return {
    ...config,
    ...{ fleet, id: agentId, region: region === "" ? config.region : region },
    broker: { ...config.broker, url },
  };
}
