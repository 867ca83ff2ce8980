import type { MqttClient } from "mqtt";

/**
 * Has a client take whatever it receives for a sign of life. mqtt.js knows only the answer to its ping, which comes behind all that the broker sent
 * before: a controller that comes back to a large fleet has tens of thousands of messages to handle first, and would give up the connection each time.
 */
export function countTrafficAsLife(
  client: Pick<MqttClient, "sendPing" | "onKeepaliveTimeout"> & {
    on(event: "packetreceive", listener: () => void): unknown;
  },
): void {
  const [ping, giveUp] = [client.sendPing.bind(client), client.onKeepaliveTimeout.bind(client)];
  let heardSincePing = false;
  client.on("packetreceive", () => {
    heardSincePing = true;
  });
  client.sendPing = () => {
    heardSincePing = false;
    ping();
  };
  client.onKeepaliveTimeout = () => (heardSincePing ? client.sendPing() : giveUp());
}
