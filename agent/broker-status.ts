import { redactUrl } from "#platform/fetch/redact-url.ts";
import { type BrokerRefusal, refusalToText } from "#protocol/mqtt/broker-refusals.ts";
import type { MqttBroker } from "#protocol/mqtt-broker.ts";
import type { HealthCheck } from "./serving/ports.ts";

type Connection = Pick<MqttBroker, "connected" | "protocol" | "problem" | "refused">;

/** State of the connection to the fleet's broker. */
export interface BrokerStatus {
  readonly url: string;
  readonly connected: boolean;
  /** Version of MQTT; null: not connected. */
  readonly protocol: "5" | "3.1.1" | null;
  readonly problem: string | null;
  readonly refused: readonly BrokerRefusal[];
}

export function brokerStatus(url: string, { connected, protocol, problem, refused }: Connection): BrokerStatus {
  return { url: redactUrl(url), connected, protocol, problem, refused };
}

/** Health of the connection. An agent without a broker serves as well, so its absence alone degrades nothing. */
export function brokerHealth({ connected, protocol, problem, refused }: Connection): HealthCheck {
  const faults = [...(problem === null ? [] : [problem]), ...refused.map(refusalToText)];
  if (!connected) return { status: "unused", detail: faults[0] ?? "not connected yet" };
  if (faults.length > 0) return { status: "degraded", detail: faults.join("; ") };
  return { status: "healthy", detail: `connected over MQTT ${protocol}` };
}
