/** Trace that a request belongs to, from the client's `traceparent` header. */
export interface ParentContext {
  /** Has 32 hexadecimal digits. */
  readonly traceId: string;
  /** Client's span, 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** State that tracing systems pass on to each other; "" for none. */
  readonly traceState: string;
}

const maxTraceStateLength = 512;

/**
 * Reads W3C Trace Context (https://www.w3.org/TR/trace-context/), including future versions. Returns undefined for a missing or invalid
 * `traceparent`, and a new trace begins; a `tracestate` that can't be passed on is left out.
 */
export function readParentContext(
  traceparent: string | undefined,
  tracestate: string | undefined,
): ParentContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent?.trim() ?? "");
  if (match === null) return undefined;
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const state = tracestate?.trim() ?? "";
  const traceState = state.length <= maxTraceStateLength && /^[\x20-\x7e]*$/.test(state) ? state : "";
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1, traceState };
}

/** Writes the header that names a span, for a program that continues its trace. */
export function writeTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/**
 * Returns true when a trace is recorded: when its client decided so, or by the share `ratio` of those begun here. The choice is made by the
 * trace id's last digits, which are random by the specification, so that every service with the same ratio chooses the same traces.
 */
export function isSampled(parent: ParentContext | undefined, traceId: string, ratio: number): boolean {
  if (parent !== undefined) return parent.sampled;
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}
