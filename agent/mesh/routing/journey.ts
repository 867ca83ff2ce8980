import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { HomeModel } from "#agent/serving/admission/home.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Remote, Routed } from "./remote.ts";
import type { RemoteReply } from "./remote-client.ts";

/** Attempts of a request so far. */
export interface JourneyAttempts {
  readonly tried: string[];
  /** Backends that were asked in vain, and whose failure calls for extra work. */
  failures: number;
  /** True while the budget has paid for its next attempt. */
  isRetryTaken: boolean;
  /** Backends that refused it because they are full, and those of them that would not if they had to. */
  refusals: number;
  readonly refusedBy: string[];
  attempts: number;
}

/** Creates the record of a request that has not been sent yet. */
export function noAttempts(): JourneyAttempts {
  return { tried: [], failures: 0, isRetryTaken: false, refusals: 0, refusedBy: [], attempts: 0 };
}

/** A request on its way. */
export interface Journey extends JourneyAttempts {
  readonly request: EmbedRequest & { readonly model: string };
  readonly routed: Routed & { readonly space: string };
  readonly home: HomeModel | null;
  readonly remotes: readonly Remote[];
  readonly startedMs: number;
  readonly deadlineMs: number;
  lastError: unknown;
}

/** One attempt at a backend elsewhere. */
export interface Attempt {
  readonly reply: Promise<RemoteReply>;
  cancel(reason: Error): void;
}

/** Reasons that an attempt is given up: one that was asked later answered first, it took far longer than usual, or the one before it answered after all. */
export const outrun = new Error("a backend asked later answered first");
export const silent = new Error("the backend is silent");
const needless = new Error("the first backend answered after all");

/** Returns the reply of a backend that was given up because it is silent. */
export const silentReply = (backend: string, ms: number): RemoteReply => ({
  ...{ outcome: "silent", load: null, result: null, mayRetry: true },
  error: new ServiceError("MODEL_UNAVAILABLE", `${backend} did not answer in ${Math.round(ms)} ms`, { retryAfterS: 1 }),
});

/** Lets the peers be asked again that refused because another one might have had a shorter queue. @returns false without any. */
export function askAgain(journey: Journey): boolean {
  const { refusedBy, tried } = journey;
  if (refusedBy.length === 0) return false;
  const others = tried.filter((id) => !refusedBy.includes(id));
  tried.splice(0, tried.length, ...others);
  refusedBy.length = 0;
  journey.refusals = Number.POSITIVE_INFINITY;
  return true;
}

/** Resolves with the first of two attempts that has vectors, and gives up the other; with the last reply where neither has. */
export async function firstAnswer(one: Attempt, other: Attempt): Promise<RemoteReply> {
  const settled = [one, other].map(async (attempt) => ({ attempt, reply: await attempt.reply }));
  const sooner = await Promise.race(settled);
  const later = sooner.attempt === one ? other : one;
  if (sooner.reply.result !== null || !sooner.reply.mayRetry) {
    later.cancel(later === one ? outrun : needless);
    return sooner.reply;
  }
  return later.reply;
}
