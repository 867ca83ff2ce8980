import { Type } from "@sinclair/typebox";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";

const strict = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0, default: 0 });
const amountOrNull = (description: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { default: null, description });

/** Limits of the queue; requests beyond them are turned away with a time to come back. */
const AdmissionLimits = Type.Pick(
  ServingConfig,
  ["queueRequests", "queueTexts", "queueTokens", "queueBytes", "queueMs", "requestTimeoutMs"],
  { ...strict, default: {} },
);
export type AdmissionLimits = ReadonlyStatic<typeof AdmissionLimits>;

/** Waiting requests: all, or one tenant's. */
const Held = Type.Object({ requests: Count, texts: Count, tokens: Count, bytes: Count }, { ...strict, default: {} });
export type Held = ReadonlyStatic<typeof Held>;

/** The queue as a new request finds it; times are null until the model's speed is known. */
const QueueState = Type.Object(
  {
    held: { ...Held, description: "what is waiting, over all tenants" },
    own: { ...Held, description: "of that, the share of the request's tenant" },
    share: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 1,
      description:
        "the tenant's share of each limit: its weight among the tenants with requests; 1 if there is no other",
    }),
    openRequests: { ...Count, description: "other unanswered requests for the same model" },
    expectedWaitMs: amountOrNull("time the request would wait for others"),
    computeMs: amountOrNull("time its computation would take"),
    drainMs: amountOrNull("time until everything waiting is computed"),
  },
  { ...strict, default: {} },
);
export type QueueState = ReadonlyStatic<typeof QueueState>;

const AdmissionRequest = Type.Object(
  {
    texts: Type.Integer({ minimum: 0, description: "to be computed: as many as are in the queue at once" }),
    bytes: Count,
    latencyBudgetMs: amountOrNull("time the client will wait"),
  },
  strict,
);
type AdmissionRequest = ReadonlyStatic<typeof AdmissionRequest>;

export const AdmissionInput = Type.Object(
  { request: AdmissionRequest, queue: QueueState, limits: AdmissionLimits },
  strict,
);

/** Amounts by which the queue's limits would be exceeded if the request were admitted. */
export interface Excess {
  readonly requests: number;
  readonly texts: number;
  readonly bytes: number;
}

/** Measures by which the queue is limited. */
export type Measure = "requests" | "texts" | "tokens" | "bytes";

/** The request alone is larger than the queue. */
export interface TooLarge {
  readonly rule: "too-large";
  readonly measure: "texts" | "bytes";
  readonly asked: number;
  readonly limit: number;
}

/** One of the queue's limits is reached. */
export interface QueueFull {
  readonly rule: "queue-full";
  readonly measure: Measure;
  readonly waiting: number;
  readonly limit: number;
}

/** The request would wait longer than allowed, or be answered after the client's deadline or the request timeout. */
export interface TooSlow {
  readonly rule: "long-wait" | "client-deadline" | "request-timeout";
  readonly expectedMs: number;
  readonly limitMs: number;
}

export type AdmissionDecision =
  | { readonly kind: "admit"; readonly rule: "fits" }
  /**
   * The queue is full of requests of tenants above their share, and this tenant is below its own. It is admitted, and unstarted requests of
   * the others are evicted to make up for it. No tenant gets in above its share, so the queue never exceeds twice a limit.
   */
  | ({ readonly kind: "make-room"; readonly missing: Excess; readonly retryAfterS: number } & QueueFull)
  /** The queue is too long now. */
  | ({ readonly kind: "wait"; readonly retryAfterS: number } & (QueueFull | TooSlow))
  /** The request would not fit into an empty queue either. */
  | ({ readonly kind: "too-large" } & TooLarge);

const maxRetryAfterS = 30;
/** Safety margin for the estimate: a request is admitted if it is expected within this share of its time. */
const deadlineShare = 0.9;

/** Whole seconds for `Retry-After`: at least 1, and at most 30 for a queue that may be empty by then. */
function retryAfterS(ms: number | null): number {
  return Math.min(maxRetryAfterS, Math.max(1, Math.ceil((ms ?? 0) / 1000)));
}

interface Level {
  readonly measure: Measure;
  readonly held: number;
  readonly own: number;
  readonly more: number;
  readonly limit: number;
}

const exceeds = ({ held, more, limit }: Level) => held + more > limit;

/** Decides whether a request may enter the queue: by its size first, then by its expected time. */
export function decideAdmission(
  request: AdmissionRequest,
  queue: QueueState,
  limits: AdmissionLimits,
): AdmissionDecision {
  const { texts, bytes } = request;
  if (texts > limits.queueTexts) {
    return { kind: "too-large", rule: "too-large", measure: "texts", asked: texts, limit: limits.queueTexts };
  }
  if (bytes > limits.queueBytes) {
    return { kind: "too-large", rule: "too-large", measure: "bytes", asked: bytes, limit: limits.queueBytes };
  }
  const { held, own } = queue;
  const levels: readonly Level[] = [
    { measure: "requests", held: held.requests, own: own.requests, more: 1, limit: limits.queueRequests },
    { measure: "texts", held: held.texts, own: own.texts, more: texts, limit: limits.queueTexts },
    // A request's tokens are an estimate: the last one that fits may be larger than the rest of the limit.
    { measure: "tokens", held: held.tokens, own: own.tokens, more: 1, limit: limits.queueTokens },
    { measure: "bytes", held: held.bytes, own: own.bytes, more: bytes, limit: limits.queueBytes },
  ];
  const slow = decideTime(request, queue, limits);
  const full = levels.filter(exceeds);
  const [first] = full;
  if (first === undefined) return slow ?? { kind: "admit", rule: "fits" };
  const why = {
    rule: "queue-full",
    measure: first.measure,
    waiting: first.held,
    limit: first.limit,
    retryAfterS: retryAfterS(queue.drainMs),
  } as const;
  if (slow !== null || full.some((level) => level.own + level.more > queue.share * level.limit)) {
    return { kind: "wait", ...why };
  }
  const excess = (measure: Measure) => {
    const level = full.find((each) => each.measure === measure);
    return level === undefined ? 0 : level.held + level.more - level.limit;
  };
  const missing = {
    requests: Math.max(excess("requests"), Math.min(excess("tokens"), 1)),
    texts: excess("texts"),
    bytes: excess("bytes"),
  };
  return { kind: "make-room", missing, ...why };
}

/** Refusal of a request that would wait too long or be answered too late; null for any other. */
function decideTime(
  { latencyBudgetMs }: AdmissionRequest,
  queue: QueueState,
  { queueMs, requestTimeoutMs }: AdmissionLimits,
): Extract<AdmissionDecision, { kind: "wait" }> | null {
  const { expectedWaitMs, computeMs } = queue;
  // An idle model always tries: the estimate is rough, and refusing would serve no other request.
  if (queue.openRequests === 0 || expectedWaitMs === null) return null;
  if (expectedWaitMs > queueMs) {
    return {
      kind: "wait",
      rule: "long-wait",
      expectedMs: expectedWaitMs,
      limitMs: queueMs,
      retryAfterS: retryAfterS(expectedWaitMs - queueMs),
    };
  }
  const byClient = latencyBudgetMs !== null && latencyBudgetMs <= requestTimeoutMs;
  const limitMs = byClient ? latencyBudgetMs : requestTimeoutMs;
  const expectedMs = expectedWaitMs + (computeMs ?? 0);
  if (expectedMs <= deadlineShare * limitMs) return null;
  return {
    kind: "wait",
    rule: byClient ? "client-deadline" : "request-timeout",
    expectedMs,
    limitMs,
    retryAfterS: retryAfterS(expectedMs - deadlineShare * limitMs),
  };
}
