import { type Static, Type } from "@sinclair/typebox";
import { integer, number, orNull } from "#platform/config-fields.ts";

export const TracingConfig = Type.Object(
  {
    otlpUrl: orNull(
      Type.String({ pattern: "^https?://[^/]", maxLength: 1024 }),
      "base address of a collector, e.g. http://127.0.0.1:4318; null: no traces",
    ),
    sampleRatio: number(1, [0, 1], "share of requests that are traced, unless the client decides"),
    exportPeriodMs: integer(2_000, [10, 3_600_000], "how long spans wait to be sent together"),
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
    description:
      "Traces of requests for OpenTelemetry; OTEL_EXPORTER_OTLP_ENDPOINT and related variables set the same keys.",
  },
);
export type TracingConfig = Static<typeof TracingConfig>;
