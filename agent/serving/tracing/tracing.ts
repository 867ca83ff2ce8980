import type { RequestTrace, TraceAttributes } from "#platform/request-trace.ts";

/** A request as it arrives. */
export interface ArrivedRequest {
  readonly name: string;
  readonly attributes: TraceAttributes;
  /** The value of a header, for W3C's `traceparent` and `tracestate`; undefined where it has none. */
  header(name: string): string | undefined;
}

/** The server span of a request. */
export interface ServerTrace extends RequestTrace {
  /** For the client: what its own trace would need to name this span. */
  readonly traceparent: string;
  /** @param failed whether it is the server's fault that there is no answer */
  end(outcome: { readonly failed: boolean; readonly attributes: TraceAttributes }): void;
}

/** Makes spans of requests and sends them away. */
export interface Tracing {
  begin(request: ArrivedRequest): ServerTrace;
  /** Sends what is left, for a short while. */
  stop(): Promise<void>;
}

/** Which agent the spans are of. */
export interface TracedService {
  readonly version: string;
  readonly agentId: string;
  readonly fleet: string;
}
