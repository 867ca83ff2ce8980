import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import type { NamedTokens } from "#agent/serving/text/text-tokenizer.ts";
import { createTurns, finishInTurns, namingInput } from "#agent/serving/text/tokenize-inputs.ts";
import { ServiceError } from "#platform/errors.ts";
import { createGarbageCollection } from "#platform/process/collect-garbage.ts";
import { defaultTenant } from "#protocol/messages.ts";
import type { TokenizedTexts, TokenizeRequest } from "./embedder.ts";
import type { Leases } from "./lease-model.ts";
import { ClientDisconnected, DeadlinePassed, startDeadline } from "./request-deadline.ts";

export interface NamingLimits {
  readonly requestTimeoutMs: number;
  /** Maximum number of requests in progress. */
  readonly maxTokenizeRequests: number;
}

/** A tenant gets at most this share of the places, so that one alone never takes all. */
const tenantShare = 0.75;

/** Garbage per character by the time its tokens are written, and the amount of it between two collections. */
const garbageBytesPerCharacter = 130;
const garbageBytes = 12 * 1024 * 1024;

/** Counts the requests in progress, in total and per tenant. */
class Places {
  readonly #max: number;
  readonly #maxPerTenant: number;
  readonly #openByTenant = new Map<string, number>();
  #open = 0;

  constructor(max: number) {
    this.#max = max;
    this.#maxPerTenant = Math.max(1, Math.floor(max * tenantShare));
  }

  /**
   * @returns gives the place back.
   * @throws ServiceError TOO_MANY_REQUESTS
   */
  enter(tenant: string): () => void {
    const own = this.#openByTenant.get(tenant) ?? 0;
    if (this.#open >= this.#max || own >= this.#maxPerTenant) {
      const message =
        own >= this.#maxPerTenant
          ? `${own} requests to /tokenize of this tenant are in progress, which is the maximum`
          : `${this.#open} requests to /tokenize are in progress, which is the maximum`;
      throw new ServiceError("TOO_MANY_REQUESTS", message, { retryAfterS: 1 });
    }
    this.#open += 1;
    this.#openByTenant.set(tenant, own + 1);
    return () => {
      this.#open -= 1;
      const others = (this.#openByTenant.get(tenant) ?? 1) - 1;
      if (others > 0) this.#openByTenant.set(tenant, others);
      else this.#openByTenant.delete(tenant);
    };
  }
}

/**
 * Creates the function behind `/tokenize`. It has limits of its own, as it needs no model process but this process' time and memory.
 * @throws ServiceError MODEL_NOT_FOUND | TOO_MANY_REQUESTS | DEADLINE_EXCEEDED | SHUTTING_DOWN
 */
export function createTokenNaming(
  leases: Leases,
  limits: NamingLimits,
  stopping: () => boolean,
): (request: TokenizeRequest) => Promise<TokenizedTexts> {
  const places = new Places(limits.maxTokenizeRequests);
  const garbage = createGarbageCollection(garbageBytes, () => performance.now());
  /** Requests run one after another: in parallel none would finish sooner, and each would hold its memory longer. */
  let last: Promise<unknown> = Promise.resolve();

  const name = async ({ model }: ModelLease, request: TokenizeRequest, signal: AbortSignal): Promise<NamedTokens[]> => {
    const turns = createTurns();
    const texts: NamedTokens[] = [];
    for (const [i, input] of request.inputs.entries()) {
      garbage.note(input.length * garbageBytesPerCharacter);
      if (signal.aborted) throw signal.reason;
      const naming = finishInTurns(stopAt(model.tokenizer.nameInSteps(input, request), signal), turns);
      const named = await naming.catch((error) => {
        throw namingInput(error, "inputs", i);
      });
      texts.push(named);
      if (turns.over()) await turns.next();
    }
    return texts;
  };

  return async (request) => {
    if (stopping()) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    const leave = places.enter(request.tenant ?? defaultTenant);
    const timeoutMs = Math.min(limits.requestTimeoutMs, request.latencyBudgetMs ?? Number.POSITIVE_INFINITY);
    const deadline = startDeadline(request.signal, timeoutMs);
    let lease: ModelLease | undefined;
    try {
      const leased = await leases.acquire(request.model, deadline);
      lease = leased;
      const named = last.then(() => name(leased, request, deadline.signal()));
      last = named.catch(() => {});
      return { texts: await named, tokenizer: leased.model.tokenizer };
    } catch (error) {
      if (error instanceof ClientDisconnected)
        throw new ServiceError("INVALID_REQUEST", "the client closed the connection");
      if (!(error instanceof DeadlinePassed)) throw error;
      throw new ServiceError("DEADLINE_EXCEEDED", `no answer within ${timeoutMs} ms`, { retryAfterS: 1 });
    } finally {
      leave();
      lease?.release();
      deadline.end();
    }
  };
}

/** Runs steps until they are done or the signal aborts. */
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
