import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";

const count = (value: number, description: string, maximum = 1_000_000) =>
  Type.Integer({ default: value, minimum: 1, maximum, description });

/** Upper bounds of the embedded broker, for all clients together and for each. */
export const BrokerLimits = strictObject(
  {
    maxConnections: count(12_000, "simultaneous connections"),
    maxHalfOpen: count(512, "maximum connections that have not logged in yet; a new one replaces the oldest"),
    maxHalfOpenPerAddress: count(128, "maxHalfOpen for one address (IPv6: one /64)"),
    halfOpenMs: count(10_000, "milliseconds within which a client must log in", 600_000),
    maxRetainedBytes: count(64 * 1024 * 1024, "bytes of retained messages", 2 ** 40),
    maxBufferedBytes: count(
      4 * 1024 * 1024,
      "bytes waiting for one slow subscriber; beyond this it is disconnected",
      2 ** 32,
    ),
    messagesPerS: count(
      200,
      "average messages per second from one client; beyond this it is slowed down or, at an external broker, not listened to",
    ),
    bytesPerS: count(2 * 1024 * 1024, "the same in bytes", 2 ** 32),
    burstS: count(10, "seconds' worth of these rates accepted in one burst", 3600),
  },
  { default: {}, description: "Limits of the embedded broker." },
);
export type BrokerLimits = Static<typeof BrokerLimits>;
