import { ServiceError } from "#platform/errors.ts";
import type { AdmissionDecision, Held, MissingRoom, QueueState } from "./decide-admission.ts";

/** An admitted request, until its answer. */
export interface HeldRequest {
  readonly tenant: string;
  readonly texts: number;
  readonly bytes: number;
  /** True while it can be turned away without losing work. */
  begun(): boolean;
  /** Turns it away. */
  evict(reason: ServiceError): void;
}

/** All admitted requests, of every model, with each tenant's part. */
export interface HeldRequests {
  /** As decisions need it; `tokens` are those that wait for the request's model. */
  state(tenant: string, waitingTokens: (tenant?: string) => number): Pick<QueueState, "held" | "own" | "share">;
  /**
   * Lets a request in as was decided, turning others away where room must be made.
   * @returns ends it.
   * @throws ServiceError PAYLOAD_TOO_LARGE | TOO_MANY_REQUESTS
   */
  enter(request: HeldRequest, decision: AdmissionDecision): () => void;
}

interface Sum {
  requests: number;
  texts: number;
  bytes: number;
}

const none = (): Sum => ({ requests: 0, texts: 0, bytes: 0 });

function add(sum: Sum, { texts, bytes }: HeldRequest, sign: 1 | -1): void {
  sum.requests += sign;
  sum.texts += sign * texts;
  sum.bytes += sign * bytes;
}

/** @param weightOf a tenant's weight, above 0 */
export function createHeldRequests(weightOf: (tenant: string) => number): HeldRequests {
  const all = none();
  const byTenant = new Map<string, Sum>();
  /** In the order of their arrival. */
  const held = new Set<HeldRequest>();

  const shareOf = (tenant: string): number => {
    let sum = byTenant.has(tenant) ? 0 : weightOf(tenant);
    for (const other of byTenant.keys()) sum += weightOf(other);
    return weightOf(tenant) / sum;
  };

  const release = (request: HeldRequest) => {
    if (!held.delete(request)) return;
    add(all, request, -1);
    const own = byTenant.get(request.tenant) as Sum;
    add(own, request, -1);
    if (own.requests === 0) byTenant.delete(request.tenant);
  };

  /** Of whoever has most for its weight, the newest first; what is computed already stays. */
  const victimsFor = (tenant: string, missing: MissingRoom): HeldRequest[] => {
    const scarce = missing.bytes > 0 ? "bytes" : missing.texts > 0 ? "texts" : "requests";
    let most: { readonly tenant: string; readonly amount: number } | undefined;
    for (const [name, sum] of byTenant) {
      const amount = sum[scarce] / weightOf(name);
      if (name !== tenant && (most === undefined || amount > most.amount)) most = { tenant: name, amount };
    }
    const victims: HeldRequest[] = [];
    const freed = none();
    for (const request of [...held].reverse()) {
      if (freed.requests >= missing.requests && freed.texts >= missing.texts && freed.bytes >= missing.bytes) break;
      if (request.tenant !== most?.tenant || request.begun()) continue;
      victims.push(request);
      add(freed, request, 1);
    }
    return victims;
  };

  return {
    state(tenant, waitingTokens) {
      const own = byTenant.get(tenant) ?? none();
      return {
        held: { ...all, tokens: waitingTokens() } satisfies Held,
        own: { ...own, tokens: waitingTokens(tenant) } satisfies Held,
        share: shareOf(tenant),
      };
    },
    enter(request, decision) {
      if (decision.kind === "too-large") throw new ServiceError("PAYLOAD_TOO_LARGE", decision.reason);
      const turnAway = (reason: string, retryAfterS: number) =>
        new ServiceError("TOO_MANY_REQUESTS", reason, { retryAfterS });
      if (decision.kind === "wait") throw turnAway(decision.reason, decision.retryAfterS);
      if (decision.kind === "make-room") {
        for (const victim of victimsFor(request.tenant, decision.missing)) {
          release(victim);
          victim.evict(
            turnAway("the queue is full, and another tenant is entitled to this place", decision.retryAfterS),
          );
        }
      }
      held.add(request);
      add(all, request, 1);
      let own = byTenant.get(request.tenant);
      if (own === undefined) {
        own = none();
        byTenant.set(request.tenant, own);
      }
      add(own, request, 1);
      return () => release(request);
    },
  };
}
