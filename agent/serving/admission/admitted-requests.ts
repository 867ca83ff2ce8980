import { ServiceError } from "#platform/errors.ts";
import type { AdmissionDecision, Excess, Held, QueueState } from "./decide-admission.ts";
import { explainAdmission } from "./explain-admission.ts";

/** A request from its admission to its answer. */
export interface AdmittedRequest {
  readonly tenant: string;
  readonly texts: number;
  readonly bytes: number;
  /** True once evicting it would waste work. */
  begun(): boolean;
  evict(reason: ServiceError): void;
}

interface Sum {
  requests: number;
  texts: number;
  bytes: number;
}

const emptySum = (): Sum => ({ requests: 0, texts: 0, bytes: 0 });

function add(sum: Sum, { texts, bytes }: AdmittedRequest, sign: 1 | -1): void {
  sum.requests += sign;
  sum.texts += sign * texts;
  sum.bytes += sign * bytes;
}

const tooMany = (reason: string, retryAfterS: number) => new ServiceError("TOO_MANY_REQUESTS", reason, { retryAfterS });

/** The admitted requests of all models, in total and per tenant. */
export class AdmittedRequests {
  readonly #weightOf: (tenant: string) => number;
  readonly #all = emptySum();
  readonly #byTenant = new Map<string, Sum>();
  /** In order of arrival. */
  readonly #requests = new Set<AdmittedRequest>();

  /** @param weightOf a tenant's weight, above 0 */
  constructor(weightOf: (tenant: string) => number) {
    this.#weightOf = weightOf;
  }

  /**
   * State of the queue as {@link decideAdmission} needs it.
   * @param waitingTokens tokens that wait for the request's model: all tenants', or one's
   */
  state(tenant: string, waitingTokens: (tenant?: string) => number): Pick<QueueState, "held" | "own" | "share"> {
    const own = this.#byTenant.get(tenant) ?? emptySum();
    return {
      held: { ...this.#all, tokens: waitingTokens() } satisfies Held,
      own: { ...own, tokens: waitingTokens(tenant) } satisfies Held,
      share: this.#shareOf(tenant),
    };
  }

  /**
   * Admits a request as was decided, and evicts others where the decision says so.
   * @returns ends it.
   * @throws ServiceError PAYLOAD_TOO_LARGE | TOO_MANY_REQUESTS when it is refused.
   */
  enter(request: AdmittedRequest, decision: AdmissionDecision): () => void {
    if (decision.kind === "too-large") throw new ServiceError("PAYLOAD_TOO_LARGE", explainAdmission(decision));
    if (decision.kind === "wait") throw tooMany(explainAdmission(decision), decision.retryAfterS);
    if (decision.kind === "make-room") {
      for (const victim of this.#victimsFor(request.tenant, decision.missing)) {
        this.#release(victim);
        victim.evict(tooMany("the queue is full, and another tenant is entitled to this place", decision.retryAfterS));
      }
    }
    this.#requests.add(request);
    add(this.#all, request, 1);
    let own = this.#byTenant.get(request.tenant);
    if (own === undefined) {
      own = emptySum();
      this.#byTenant.set(request.tenant, own);
    }
    add(own, request, 1);
    return () => this.#release(request);
  }

  #shareOf(tenant: string): number {
    let sum = this.#byTenant.has(tenant) ? 0 : this.#weightOf(tenant);
    for (const other of this.#byTenant.keys()) sum += this.#weightOf(other);
    return this.#weightOf(tenant) / sum;
  }

  #release(request: AdmittedRequest): void {
    if (!this.#requests.delete(request)) return;
    add(this.#all, request, -1);
    const own = this.#byTenant.get(request.tenant) as Sum;
    add(own, request, -1);
    if (own.requests === 0) this.#byTenant.delete(request.tenant);
  }

  /** Unstarted requests of the tenant that uses most for its weight, newest first, as many as are needed to make room. */
  #victimsFor(tenant: string, missing: Excess): AdmittedRequest[] {
    const scarce = missing.bytes > 0 ? "bytes" : missing.texts > 0 ? "texts" : "requests";
    let largest: { readonly tenant: string; readonly amount: number } | undefined;
    for (const [name, sum] of this.#byTenant) {
      const amount = sum[scarce] / this.#weightOf(name);
      if (name !== tenant && (largest === undefined || amount > largest.amount)) largest = { tenant: name, amount };
    }
    const victims: AdmittedRequest[] = [];
    const freed = emptySum();
    for (const request of [...this.#requests].reverse()) {
      if (freed.requests >= missing.requests && freed.texts >= missing.texts && freed.bytes >= missing.bytes) break;
      if (request.tenant !== largest?.tenant || request.begun()) continue;
      victims.push(request);
      add(freed, request, 1);
    }
    return victims;
  }
}
