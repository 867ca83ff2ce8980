import type { RequestTrace, TraceAttributes } from "#platform/request-trace.ts";

export interface ArrivedRequest {
  readonly name: string;
  readonly attributes: TraceAttributes;
  /** Returns the value of a header, for W3C's `traceparent` and `tracestate`; undefined without one. */
  header(name: string): string | undefined;
}

/** Server span of a request. */
export interface ServerTrace extends RequestTrace {
  /** Header by which the client's trace can name this span. */
  readonly traceparent: string;
  /** @param failed true when the server is at fault that there is no answer */
  end(outcome: { readonly failed: boolean; readonly attributes: TraceAttributes }): void;
}

/** Makes spans of requests and sends them away. */
export interface Tracing {
  begin(request: ArrivedRequest): ServerTrace;
  stop(): Promise<void>;
}
