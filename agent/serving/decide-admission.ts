/** What may wait at once; whatever comes beyond it is turned away with a time to come back. */
export interface AdmissionLimits {
  readonly queueRequests: number;
  /** Texts of admitted requests; a large request counts for the part of it that is in the line at once. */
  readonly queueTexts: number;
  readonly queueTokens: number;
  /** How long a request may be expected to wait for others, whatever its client says. */
  readonly queueMs: number;
}

/** The line as a new request finds it. */
export interface LineState {
  readonly admittedRequests: number;
  readonly admittedTexts: number;
  readonly waitingTokens: number;
  /** How long the request would wait for others; null when nothing is known of the model's speed yet. */
  readonly expectedWaitMs: number | null;
  /** How long it would be computed; null likewise. */
  readonly computeMs: number | null;
  /** Until everything that waits is computed; null likewise. */
  readonly drainMs: number | null;
}

export type AdmissionDecision =
  | { readonly kind: "admit" }
  /** The line is too long now. */
  | { readonly kind: "wait"; readonly reason: string; readonly retryAfterS: number }
  /** It would not fit into an empty line either. */
  | { readonly kind: "too-large"; readonly reason: string };

const longestRetryS = 30;

/** Whole seconds, as `Retry-After` has them: never none, never more than half a minute for a line that may be gone by then. */
function retryAfterS(ms: number | null): number {
  return Math.min(longestRetryS, Math.max(1, Math.ceil((ms ?? 0) / 1000)));
}

/**
 * Whether a request may wait to be computed.
 * @param request its texts that must be computed (as many of them as are in the line at once) and how long its client waits
 */
export function decideAdmission(
  request: { readonly texts: number; readonly latencyBudgetMs: number | null },
  line: LineState,
  limits: AdmissionLimits,
): AdmissionDecision {
  const { texts, latencyBudgetMs } = request;
  if (texts > limits.queueTexts) {
    return { kind: "too-large", reason: `expected at most ${limits.queueTexts} texts, got ${texts}` };
  }
  const wait = (reason: string, ms: number | null): AdmissionDecision => ({
    kind: "wait",
    reason,
    retryAfterS: retryAfterS(ms),
  });
  if (line.admittedRequests >= limits.queueRequests) {
    return wait(`${line.admittedRequests} requests wait already; ${limits.queueRequests} may`, line.drainMs);
  }
  if (line.admittedTexts + texts > limits.queueTexts) {
    return wait(`${line.admittedTexts} texts wait already; ${limits.queueTexts} may`, line.drainMs);
  }
  if (line.waitingTokens >= limits.queueTokens) {
    return wait(`${line.waitingTokens} tokens wait already; ${limits.queueTokens} may`, line.drainMs);
  }
  const { expectedWaitMs, computeMs } = line;
  // Where nobody waits a request is always tried: the expectation is rough, and nobody else is served by turning it away.
  if (line.waitingTokens === 0 || expectedWaitMs === null) return { kind: "admit" };
  if (expectedWaitMs > limits.queueMs) {
    const reason = `it would wait about ${Math.round(expectedWaitMs)} ms; ${limits.queueMs} ms may be waited`;
    return wait(reason, expectedWaitMs - limits.queueMs);
  }
  const expectedMs = expectedWaitMs + (computeMs ?? 0);
  if (latencyBudgetMs !== null && expectedMs > latencyBudgetMs) {
    const reason = `it would take about ${Math.round(expectedMs)} ms; the client waits ${latencyBudgetMs} ms`;
    return wait(reason, expectedMs - latencyBudgetMs);
  }
  return { kind: "admit" };
}
