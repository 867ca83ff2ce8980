/** The messages that cross MQTT (see docs/mqtt.md). All times are ms since the Unix epoch, all payloads JSON in UTF-8. */
export { Identifier } from "./bounds.ts";
export * from "./messages/access.ts";
export * from "./messages/ack.ts";
export * from "./messages/beat.ts";
export * from "./messages/birth.ts";
export * from "./messages/command.ts";
export * from "./messages/controller.ts";
export * from "./messages/data.ts";
export * from "./messages/demand.ts";
export * from "./messages/desired.ts";
export { AgentRole } from "./messages/fields.ts";
export * from "./messages/forecast.ts";
export * from "./messages/order.ts";
export * from "./messages/peers.ts";
export * from "./messages/power.ts";
export * from "./messages/presence.ts";
export * from "./messages/tariffs.ts";
export * from "./messages/tenant-jobs.ts";
