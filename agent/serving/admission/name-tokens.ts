import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import type { NamedTokens } from "#agent/serving/text/text-tokenizer.ts";
import { createTurns, finishInTurns } from "#agent/serving/text/tokenize-inputs.ts";
import { ServiceError } from "#platform/errors.ts";
import { createGarbageCollection } from "#platform/process/collect-garbage.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";
import type { TokenizedTexts, TokenizeRequest } from "./embedder.ts";
import type { Leases } from "./lease-model.ts";
import { ClientGone, DeadlinePassed, openPatience } from "./request-patience.ts";

export interface NamingLimits {
  readonly requestTimeoutMs: number;
  /** Requests at once, from the arrival of each until its tokens are there. */
  readonly maxTokenizeRequests: number;
}

/** A tenant has at most this part of the places, so that another's are never all taken. */
const tenantShare = 0.75;

/** Garbage per character by the time its tokens are written, and the amount of it between two collections. */
const garbageBytesPerCharacter = 130;
const garbageBytes = 12 * 1024 * 1024;

/**
 * Tells texts' tokens by name. Bounded by itself: it needs no model process, but this process' time and memory.
 * @throws ServiceError MODEL_NOT_FOUND | TOO_MANY_REQUESTS | DEADLINE_EXCEEDED | SHUTTING_DOWN
 */
export function createTokenNaming(
  leases: Leases,
  limits: NamingLimits,
  stopping: () => boolean,
): (request: TokenizeRequest) => Promise<TokenizedTexts> {
  const { maxTokenizeRequests } = limits;
  const maxOfTenant = Math.max(1, Math.floor(maxTokenizeRequests * tenantShare));
  const openOf = new Map<string, number>();
  const garbage = createGarbageCollection(garbageBytes, () => performance.now());
  let open = 0;
  /** Texts are worked through one request after another: side by side none would be done sooner, and each would hold its memory longer. */
  let last: Promise<unknown> = Promise.resolve();

  /** @returns what gives the place back */
  const enter = (tenant: string): (() => void) => {
    const own = openOf.get(tenant) ?? 0;
    if (open >= maxTokenizeRequests || own >= maxOfTenant) {
      const message =
        own >= maxOfTenant
          ? `${own} requests to /tokenize of this tenant are in progress, which is the maximum`
          : `${open} requests to /tokenize are in progress, which is the maximum`;
      throw new ServiceError("TOO_MANY_REQUESTS", message, { retryAfterS: 1 });
    }
    open += 1;
    openOf.set(tenant, own + 1);
    return () => {
      open -= 1;
      const others = (openOf.get(tenant) ?? 1) - 1;
      if (others > 0) openOf.set(tenant, others);
      else openOf.delete(tenant);
    };
  };

  const name = async (lease: ModelLease, request: TokenizeRequest, signal: AbortSignal): Promise<NamedTokens[]> => {
    const turns = createTurns();
    const { tokenizer } = lease.model;
    const texts: NamedTokens[] = [];
    for (const input of request.inputs) {
      garbage.note(input.length * garbageBytesPerCharacter);
      if (signal.aborted) throw signal.reason;
      texts.push(await finishInTurns(stopAt(tokenizer.nameInSteps(input, request), signal), turns));
      if (turns.over()) await turns.next();
    }
    return texts;
  };

  return async (request) => {
    if (stopping()) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    const leave = enter(request.tenant ?? defaultTenant);
    const timeoutMs = Math.min(limits.requestTimeoutMs, request.latencyBudgetMs ?? Number.POSITIVE_INFINITY);
    const patience = openPatience(request.signal, timeoutMs);
    let lease: ModelLease | undefined;
    try {
      lease = await leases.take(request.model, patience);
      const { tokenizer } = lease.model;
      const mine = last.then(() => name(lease as ModelLease, request, patience.signal()));
      last = mine.catch(() => {});
      return { texts: await mine, tokenizer };
    } catch (error) {
      if (error instanceof ClientGone) throw new ServiceError("INVALID_REQUEST", "the client closed the connection");
      if (!(error instanceof DeadlinePassed)) throw error;
      throw new ServiceError("DEADLINE_EXCEEDED", `no answer within ${timeoutMs} ms`, { retryAfterS: 1 });
    } finally {
      leave();
      lease?.release();
      patience.end();
    }
  };
}

/** Ends the steps when nobody waits for their result any more. */
function* stopAt<T>(
  steps: Generator<undefined, T, undefined>,
  signal: AbortSignal,
): Generator<undefined, T, undefined> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (signal.aborted) throw signal.reason;
    yield;
  }
}
