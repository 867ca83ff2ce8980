import { type Static, Type } from "@sinclair/typebox";

/** Configuration of traces, sent in OpenTelemetry's protocol over HTTP. */
export const TracingConfig = Type.Object(
  {
    otlpUrl: Type.Union([Type.String({ pattern: "^https?://[^/]", maxLength: 1024 }), Type.Null()], {
      default: null,
      description: "base address of a collector, e.g. http://127.0.0.1:4318; null: no traces",
    }),
    sampleRatio: Type.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description: "share of requests that are traced, of those without a client's decision",
    }),
    exportPeriodMs: Type.Integer({
      default: 2_000,
      minimum: 10,
      maximum: 3_600_000,
      description: "time for which spans wait to be sent together",
    }),
    headers: Type.Record(Type.String(), Type.String({ maxLength: 8192 }), {
      default: {},
      maxProperties: 64,
      description: "sent with every export",
    }),
    serviceName: Type.String({ default: "thormesh-agent", minLength: 1, maxLength: 128 }),
    attributes: Type.Record(Type.String(), Type.String({ maxLength: 1024 }), {
      default: {},
      maxProperties: 64,
      description: "of the traces' resource",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type TracingConfig = Static<typeof TracingConfig>;
