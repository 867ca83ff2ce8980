import { type Static, Type } from "@sinclair/typebox";

/** Export of traces of requests, in OpenTelemetry's protocol over HTTP. */
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
      description: "share of requests that are traced, where the client does not say",
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
      description: "headers of every export",
    }),
    serviceName: Type.String({
      default: "thormesh-agent",
      minLength: 1,
      maxLength: 128,
      description: "service name of the traces' resource",
    }),
    attributes: Type.Record(Type.String(), Type.String({ maxLength: 1024 }), {
      default: {},
      maxProperties: 64,
      description: "further attributes of the traces' resource",
    }),
  },
  {
    additionalProperties: false,
    default: {},
    description: "Traces of requests for OpenTelemetry; OTEL_EXPORTER_OTLP_ENDPOINT and its like set the same keys.",
  },
);
export type TracingConfig = Static<typeof TracingConfig>;
