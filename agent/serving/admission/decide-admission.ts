/** What may wait at once; whatever comes beyond it is turned away with a time to come back. */
export interface AdmissionLimits {
  readonly queueRequests: number;
  /** Texts of admitted requests; a large request counts for the part of it that is in the queue at once. */
  readonly queueTexts: number;
  readonly queueTokens: number;
  /** Memory of admitted requests' inputs and vectors, about. */
  readonly queueBytes: number;
  /** How long a request may be expected to wait for others, whatever its client says. */
  readonly queueMs: number;
  /** Maximum total time of a request. */
  readonly requestTimeoutMs: number;
}

/** Waiting requests: all, or one tenant's. */
export interface Held {
  readonly requests: number;
  readonly texts: number;
  readonly tokens: number;
  readonly bytes: number;
}

/** The queue as a new request finds it. */
export interface QueueState {
  readonly held: Held;
  /** Of that, the request's tenant's. */
  readonly own: Held;
  /** Of each limit, what the tenant has a right to: its weight among the tenants with requests; 1 where there is no other. */
  readonly share: number;
  /** Others' requests for the same model that are not answered. */
  readonly openRequests: number;
  /** How long the request would wait for others; null when nothing is known of the model's speed yet. */
  readonly expectedWaitMs: number | null;
  /** How long it would be computed; null likewise. */
  readonly computeMs: number | null;
  /** Until everything that waits is computed; null likewise. */
  readonly drainMs: number | null;
}

export interface AdmissionRequest {
  /** Its texts that must be computed, as many of them as are in the queue at once. */
  readonly texts: number;
  readonly bytes: number;
  /** Time its client waits. */
  readonly latencyBudgetMs: number | null;
}

/** A limit of the queue, and what is missing until the request fits. */
export interface MissingRoom {
  readonly requests: number;
  readonly texts: number;
  readonly bytes: number;
}

export type AdmissionDecision =
  | { readonly kind: "admit" }
  /**
   * The queue is full of requests of tenants that have more than their share, and this tenant has less: it is let in, and so many of theirs
   * go as are not begun. Since nobody gets in beyond its share, a limit is never passed by more than itself.
   */
  | { readonly kind: "make-room"; readonly missing: MissingRoom; readonly reason: string; readonly retryAfterS: number }
  /** The queue is too long now. */
  | { readonly kind: "wait"; readonly reason: string; readonly retryAfterS: number }
  /** It would not fit into an empty queue either. */
  | { readonly kind: "too-large"; readonly reason: string };

type Waits = Extract<AdmissionDecision, { kind: "wait" }>;

const longestRetryS = 30;
/** The expectation is rough: a request is admitted when it would be answered within this share of its time. */
const deadlineShare = 0.9;

/** Whole seconds, as `Retry-After` has them: never none, never more than half a minute for a queue that may be gone by then. */
function retryAfterS(ms: number | null): number {
  return Math.min(longestRetryS, Math.max(1, Math.ceil((ms ?? 0) / 1000)));
}

interface Measure {
  readonly what: "requests" | "texts" | "tokens" | "bytes";
  readonly held: number;
  readonly own: number;
  readonly more: number;
  readonly limit: number;
}

const exceeds = ({ held, more, limit }: Measure) => held + more > limit;

/** Limits on what a request may add to the queue: first size, then time. */
export function decideAdmission(
  request: AdmissionRequest,
  queue: QueueState,
  limits: AdmissionLimits,
): AdmissionDecision {
  const { texts, bytes } = request;
  if (texts > limits.queueTexts) {
    return { kind: "too-large", reason: `expected at most ${limits.queueTexts} texts, got ${texts}` };
  }
  if (bytes > limits.queueBytes) {
    return { kind: "too-large", reason: `expected at most ${limits.queueBytes} bytes, got ${bytes}` };
  }
  const { held, own } = queue;
  const measures: readonly Measure[] = [
    { what: "requests", held: held.requests, own: own.requests, more: 1, limit: limits.queueRequests },
    { what: "texts", held: held.texts, own: own.texts, more: texts, limit: limits.queueTexts },
    // A request's tokens are known roughly only: the last one that fits may be larger than what was left.
    { what: "tokens", held: held.tokens, own: own.tokens, more: 1, limit: limits.queueTokens },
    { what: "bytes", held: held.bytes, own: own.bytes, more: bytes, limit: limits.queueBytes },
  ];
  const late = decideTime(request, queue, limits);
  const full = measures.filter(exceeds);
  const [first] = full;
  if (first === undefined) return late ?? { kind: "admit" };
  const why = {
    reason: `the queue is full: ${first.held} of ${first.limit} ${first.what}`,
    retryAfterS: retryAfterS(queue.drainMs),
  };
  if (late !== null || full.some(({ own, more, limit }) => own + more > queue.share * limit)) {
    return { kind: "wait", ...why };
  }
  const missing = (what: Measure["what"]) => {
    const measure = full.find((each) => each.what === what);
    return measure === undefined ? 0 : measure.held + measure.more - measure.limit;
  };
  return {
    kind: "make-room",
    missing: {
      requests: Math.max(missing("requests"), missing("tokens") > 0 ? 1 : 0),
      texts: missing("texts"),
      bytes: missing("bytes"),
    },
    ...why,
  };
}

/** Reason why the request would wait too long or be answered too late; null when it would not. */
function decideTime({ latencyBudgetMs }: AdmissionRequest, queue: QueueState, limits: AdmissionLimits): Waits | null {
  const { expectedWaitMs, computeMs } = queue;
  // Where nobody waits a request is always tried: the expectation is rough, and nobody else is served by turning it away.
  if (queue.openRequests === 0 || expectedWaitMs === null) return null;
  if (expectedWaitMs > limits.queueMs) {
    return {
      kind: "wait",
      reason: `it would wait about ${Math.round(expectedWaitMs)} ms; the limit is ${limits.queueMs} ms`,
      retryAfterS: retryAfterS(expectedWaitMs - limits.queueMs),
    };
  }
  const deadlineMs = Math.min(limits.requestTimeoutMs, latencyBudgetMs ?? Number.POSITIVE_INFINITY);
  const expectedMs = expectedWaitMs + (computeMs ?? 0);
  if (expectedMs <= deadlineShare * deadlineMs) return null;
  const whose =
    latencyBudgetMs !== null && latencyBudgetMs <= limits.requestTimeoutMs
      ? `the client waits ${latencyBudgetMs} ms`
      : `a request may take ${limits.requestTimeoutMs} ms`;
  return {
    kind: "wait",
    reason: `it would take about ${Math.round(expectedMs)} ms; ${whose}`,
    retryAfterS: retryAfterS(expectedMs - deadlineShare * deadlineMs),
  };
}
