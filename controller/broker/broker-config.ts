import { type Static, Type } from "@sinclair/typebox";

const count = (value: number, description: string, maximum = 1_000_000) =>
  Type.Integer({ default: value, minimum: 1, maximum, description });

/** Upper bounds of the embedded broker, for all clients together and for each. */
export const BrokerLimits = Type.Object(
  {
    maxConnections: count(12_000, "connections at a time"),
    maxHalfOpen: count(512, "of these, such as have not given their secret yet; the oldest goes for a new one"),
    maxHalfOpenPerAddress: count(128, "the same, from one address (IPv6: from one /64)"),
    halfOpenMs: count(10_000, "time to give the secret", 600_000),
    maxRetainedBytes: count(64 * 1024 * 1024, "payloads that are kept for later subscribers", 2 ** 40),
    maxBufferedBytes: count(
      4 * 1024 * 1024,
      "what waits for one subscriber that reads slowly; with more it is disconnected",
      2 ** 32,
    ),
    messagesPerS: count(200, "what one client may publish on average; with more it is slowed down"),
    bytesPerS: count(2 * 1024 * 1024, "the same in bytes", 2 ** 32),
    burstS: count(10, "so many seconds' worth at once", 3600),
  },
  { additionalProperties: false, default: {}, description: "bounds of the embedded broker" },
);
export type BrokerLimits = Static<typeof BrokerLimits>;
