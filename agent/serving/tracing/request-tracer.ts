import { randomFillSync } from "node:crypto";
import { hostname } from "node:os";
import type { Logger } from "#platform/log.ts";
import type { TraceAttributes } from "#platform/request-trace.ts";
import { encodeSpans, type RecordedStage } from "./encode-spans.ts";
import { OtlpExporter } from "./otlp-exporter.ts";
import { isSampled, readParentContext, writeTraceparent } from "./trace-context.ts";
import type { ArrivedRequest, ServerTrace, Tracing } from "./tracing.ts";
import type { TracingConfig } from "./tracing-config.ts";

const stopGraceMs = 2_000;
const noAttributes: TraceAttributes = {};

/** Returns the address of a collector's traces; the path is not part of the configuration. */
function tracesUrl(otlpUrl: string): string {
  const base = otlpUrl.replace(/\/+$/, "");
  return base.endsWith("/v1/traces") ? base : `${base}/v1/traces`;
}

/** Returns a source of small pieces of random bytes, which are made many at a time. */
function randomPieces(): (count: number) => Buffer {
  const pool = Buffer.alloc(4096);
  let used = pool.length;
  return (count) => {
    if (used + count > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return pool.subarray(used - count, used);
  };
}

/**
 * Records sampled requests and sends their spans to a collector, as configured. Returns undefined when tracing is off, which costs nothing.
 */
export function createTracing(
  config: TracingConfig,
  service: Record<"version" | "agentId" | "fleet", string>,
  log: Logger,
): Tracing | undefined {
  const { otlpUrl, sampleRatio, headers, exportPeriodMs } = config;
  if (otlpUrl === null) return undefined;
  const url = tracesUrl(otlpUrl);
  const random = randomPieces();
  const resource: TraceAttributes = {
    "service.name": config.serviceName,
    "service.version": service.version,
    "service.instance.id": service.agentId,
    "service.namespace": service.fleet,
    "host.name": hostname(),
    ...config.attributes,
  };
  const scope = { name: "thormesh", version: service.version };
  const exporter = new OtlpExporter({
    url,
    headers,
    periodMs: exportPeriodMs,
    encode: (requests) => encodeSpans(requests, resource, scope, () => random(8)),
    log,
  });
  log.info({ url, sampleRatio }, "traces are sent");

  const begin = (request: ArrivedRequest): ServerTrace => {
    const startedMs = performance.now();
    // Taken for each request, because the clock may have been set since this process started.
    const epochMs = Date.now() - startedMs;
    const parent = readParentContext(request.header("traceparent"), request.header("tracestate"));
    const traceId = parent?.traceId ?? random(16).toString("hex");
    const spanId = random(8).toString("hex");
    const sampled = isSampled(parent, traceId, sampleRatio);
    const attributes = [request.attributes];
    const stages: RecordedStage[] = [];
    let answeredMs: number | undefined;
    const trace: ServerTrace = {
      traceId,
      spanId,
      traceparent: writeTraceparent(traceId, spanId, sampled),
      stage(stage, from, to, stageAttributes = noAttributes) {
        if (sampled) stages.push({ stage, startMs: epochMs + from, endMs: epochMs + to, attributes: stageAttributes });
      },
      annotate(more) {
        if (sampled) attributes.push(more);
      },
      answered(atMs) {
        answeredMs = atMs;
      },
      end(outcome) {
        if (!sampled) return;
        const endedMs = performance.now();
        if (answeredMs !== undefined) trace.stage("respond", answeredMs, endedMs);
        attributes.push(outcome.attributes);
        const { name } = request;
        const { failed } = outcome;
        const [startMs, endMs] = [epochMs + startedMs, epochMs + endedMs];
        exporter.add({ traceId, spanId, parent, name, startMs, endMs, failed, attributes, stages });
      },
    };
    return trace;
  };

  return { begin, stop: () => exporter.stop(stopGraceMs) };
}
