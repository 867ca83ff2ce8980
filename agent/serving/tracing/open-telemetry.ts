import { hostname } from "node:os";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace as traceApi } from "@opentelemetry/api";
import { ExportResultCode, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { ArrivedRequest, ServerTrace, TracedService, Tracing } from "./tracing.ts";
import type { TracingConfig } from "./tracing-config.ts";

const exportTimeoutMs = 5_000;
/** Spans that wait to be sent; more are lost rather than kept. */
const waitingSpans = 8_192;
const stopGraceMs = 2_000;

/** Collectors take traces under this path, and are configured without it. */
function tracesUrl(otlpUrl: string): string {
  const base = otlpUrl.replace(/\/+$/, "");
  return base.endsWith("/v1/traces") ? base : `${base}/v1/traces`;
}

/** Says once that spans can't be sent, and once that they can again. */
function reporting(exporter: SpanExporter, url: string, log: Logger): SpanExporter {
  let lostSpans = 0;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.SUCCESS) {
          if (lostSpans > 0) log.info({ url, lostSpans }, "traces are sent again");
          lostSpans = 0;
        } else {
          const err = describeError(result.error ?? "no reason given");
          if (lostSpans === 0)
            log.warn({ url, err }, "traces can't be sent: requests are answered, their traces are lost");
          lostSpans += spans.length;
        }
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}

/** Sends spans of requests to a collector. */
export function startOpenTelemetry(
  config: TracingConfig & { readonly otlpUrl: string },
  service: TracedService,
  log: Logger,
): Tracing {
  const url = tracesUrl(config.otlpUrl);
  const exporter = new OTLPTraceExporter({ url, headers: config.headers, timeoutMillis: exportTimeoutMs });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": config.serviceName,
      "service.version": service.version,
      "service.instance.id": service.agentId,
      "service.namespace": service.fleet,
      "host.name": hostname(),
      ...config.attributes,
    }),
    sampler: new ParentBasedSampler({
      root: config.sampleRatio === 0 ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(config.sampleRatio),
    }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: reporting(exporter, url, log),
        maxQueueSize: waitingSpans,
        scheduledDelayMillis: config.exportPeriodMs,
        exportTimeoutMillis: 2 * exportTimeoutMs,
      }),
    ],
  });
  const tracer = provider.getTracer("thormesh", service.version);
  const propagator = new W3CTraceContextPropagator();
  const getter = {
    get: (request: ArrivedRequest, name: string) => request.header(name),
    keys: () => ["traceparent", "tracestate"],
  };
  log.info({ url, sampleRatio: config.sampleRatio }, "traces are sent");

  const begin = (request: ArrivedRequest): ServerTrace => {
    const startedMs = performance.now();
    // A clock that was set since this process began must not move the spans.
    const epochMs = Date.now() - startedMs;
    const parent = propagator.extract(ROOT_CONTEXT, request, getter);
    const { name, attributes } = request;
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes, startTime: epochMs + startedMs }, parent);
    const { traceId, spanId, traceFlags } = span.spanContext();
    const inside = traceApi.setSpan(parent, span);
    let answeredMs: number | undefined;
    const trace: ServerTrace = {
      traceId,
      spanId,
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
      stage(stage, from, to, stageAttributes = {}) {
        if (!span.isRecording()) return;
        const startTime = epochMs + from;
        tracer.startSpan(stage, { attributes: stageAttributes, startTime }, inside).end(epochMs + to);
      },
      annotate(more) {
        span.setAttributes(more);
      },
      answered(atMs) {
        answeredMs = atMs;
      },
      end(outcome) {
        const endedMs = performance.now();
        if (answeredMs !== undefined) trace.stage("respond", answeredMs, endedMs);
        span.setAttributes(outcome.attributes);
        if (outcome.failed) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(epochMs + endedMs);
      },
    };
    return trace;
  };

  return {
    begin,
    async stop() {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const overdue = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, stopGraceMs);
      });
      // What went wrong is in the log already.
      await Promise.race([provider.shutdown().catch(() => {}), overdue]);
      clearTimeout(timer);
    },
  };
}
