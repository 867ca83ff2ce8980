/** What a client's `traceparent` header says: the trace that the request belongs to. */
export interface ParentContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the client's span. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** What tracing systems hand on to each other; "" for nothing. */
  readonly traceState: string;
}

const maxTraceStateLength = 512;

/**
 * Reads W3C Trace Context (https://www.w3.org/TR/trace-context/), versions to come included. Undefined for a `traceparent` that is not there or
 * not valid, whose trace is then begun anew; a `tracestate` that can't be handed on is left out.
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

/** The header that names a span, for whoever is to continue its trace. */
export function writeTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/**
 * Whether a trace is recorded: as its client decided, and of those begun here the share `ratio`, chosen by the trace id's last digits, which are random
 * by the specification, so that every service with the same ratio chooses the same traces.
 */
export function isSampled(parent: ParentContext | undefined, traceId: string, ratio: number): boolean {
  if (parent !== undefined) return parent.sampled;
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}
