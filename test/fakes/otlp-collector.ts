import protobuf from "protobufjs";

/** Messages of opentelemetry/proto/collector/trace/v1 that carry spans, with their field numbers. */
const { root } = protobuf.parse(
  `syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message Scope { string name = 1; string version = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
  }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }`,
  { keepCase: true },
);
const requestType = root.lookupType("Request");

type Attributes = Record<string, string | number | boolean>;

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** "" for a root. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  /** 1 internal, 2 server */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 unset, 2 error */
  readonly status: number;
  readonly attributes: Attributes;
  readonly resource: Attributes;
}

// biome-ignore lint/suspicious/noExplicitAny: protobufjs decodes to untyped objects
type Decoded = any;

const attributesOf = (pairs: Decoded[] = []): Attributes =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]])) as Attributes;
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");
const ms = (nanoseconds: string) => Number(BigInt(nanoseconds) / 1000n) / 1000;

/** Returns the spans of an ExportTraceServiceRequest. 64-bit integers are strings. */
export function readSpans(body: Uint8Array): CollectedSpan[] {
  const message: Decoded = requestType.toObject(requestType.decode(body), { longs: String });
  return message.resource_spans.flatMap(({ resource, scope_spans }: Decoded) =>
    scope_spans.flatMap(({ spans }: Decoded) =>
      spans.map((span: Decoded) => ({
        traceId: hex(span.trace_id),
        spanId: hex(span.span_id),
        parentSpanId: hex(span.parent_span_id),
        traceState: span.trace_state ?? "",
        name: span.name,
        kind: span.kind,
        startMs: ms(span.start_time_unix_nano),
        endMs: ms(span.end_time_unix_nano),
        status: span.status?.code ?? 0,
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
      })),
    ),
  );
}

export interface OtlpCollector {
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Paths and headers of the exports. */
  readonly exports: { readonly path: string; readonly headers: Headers }[];
  /** Status of the answers to the next exports; 200 unless set. */
  status: number;
  stop(): Promise<void>;
}

/** Receives and decodes OTLP over HTTP, as a collector does. @param port 0 = any free port */
export function startOtlpCollector(port = 0): OtlpCollector {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    async fetch(request) {
      collector.exports.push({ path: new URL(request.url).pathname, headers: request.headers });
      if (collector.status !== 200) return new Response(null, { status: collector.status });
      collector.spans.push(...readSpans(await request.bytes()));
      return new Response(new Uint8Array(), { headers: { "content-type": "application/x-protobuf" } });
    },
  });
  const collector: OtlpCollector = {
    url: `http://127.0.0.1:${server.port}`,
    spans: [],
    exports: [],
    status: 200,
    stop: () => server.stop(true),
  };
  return collector;
}
