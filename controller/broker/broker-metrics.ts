import type { Registry } from "prom-client";
import { registerGauges, registerTotal, registerTotals } from "#platform/fetch/scraped-metrics.ts";
import type { BrokerCounts } from "./broker-counts.ts";

const byReason = (counts: ReadonlyMap<string, number>) =>
  [...counts].map(([reason, count]) => [{ reason }, count] as const);

export function registerBrokerMetrics(registry: Registry, read: () => BrokerCounts): void {
  const total = (name: string, help: string, value: (counts: BrokerCounts) => number) =>
    registerTotal(registry, `thormesh_broker_${name}_total`, help, () => value(read()));
  registerTotals(registry, "thormesh_broker_refused_total", "MQTT clients rejected", ["reason"], () =>
    byReason(read().refused),
  );
  registerTotals(registry, "thormesh_broker_dropped_total", "MQTT connections closed by the broker", ["reason"], () =>
    byReason(read().dropped),
  );
  total("denied_subscriptions", "Subscriptions refused", (counts) => counts.deniedSubscriptions);
  total(
    "taken_over",
    "Sessions that replaced a live one of the same agent; many suggest two devices with one name or certificate",
    (counts) => counts.takenOver,
  );
  total("slowed_seconds", "Time during which clients were slowed down", (counts) => counts.slowedMs / 1000);
  registerGauges(registry, "thormesh_broker_connections", "Connections at the embedded broker", ["state"], () => {
    const { connections, halfOpen } = read();
    return [
      [{ state: "admitted" }, connections - halfOpen],
      [{ state: "half-open" }, halfOpen],
    ];
  });
  const gauge = (name: string, help: string, value: (counts: BrokerCounts) => number) =>
    registerGauges(registry, `thormesh_broker_${name}`, help, [], () => [[{}, value(read())]]);
  gauge("retained_messages", "Messages kept for later subscribers", (counts) => counts.retainedMessages);
  gauge("retained_bytes", "Bytes of the messages kept for later subscribers", (counts) => counts.retainedBytes);
}
