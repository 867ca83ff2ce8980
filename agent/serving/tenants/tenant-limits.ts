import type { Embedder, EmbedRequest } from "#agent/serving/admission/embedder.ts";
import { estimateTokens } from "#agent/serving/admission/estimate-request.ts";
import { ServiceError } from "#platform/errors.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { defaultTenant, type TenantAccess } from "#protocol/messages.ts";
import type { TenantQuotas } from "./tenant-quotas.ts";

/** Kinds of limits, in the order in which they are checked. */
const kinds = ["requests", "texts", "tokens"] as const;
type Kind = (typeof kinds)[number];

interface Bucket {
  left: number;
  atMs: number;
}

export interface TenantLimitsParts {
  readonly agentId: string;
  /** Tenant as the controller told; undefined for others, which have no limits. */
  readonly tenant: (name: string) => Pick<TenantAccess, "limits" | "shares" | "otherShare"> | undefined;
  /** Quotas by day and month. Default: none. */
  readonly quotas?: Pick<TenantQuotas, "has" | "refusal" | "count" | "figures">;
  /** Monotonic clock. */
  readonly nowMs: () => number;
  /** Records that a request got no vectors, and returns the client's error. */
  readonly recordRefused: (request: EmbedRequest, error: unknown, startedMs: number) => Promise<ServiceError>;
}

/** Longest text in tokens for estimates: what a text really had is known with the answer. */
const maxTokens = 512;
/** Tenants whose use is remembered; the least recently used is dropped, whose limits begin anew. */
const maxTenants = 1024;

/**
 * Limits of tenants by the minute: each a bucket that is filled evenly and holds a minute's worth of this agent's share. A request is let in while
 * something is left of all, and may take more than that: later ones wait for it. So large requests get through, and the mean is kept.
 */
export class TenantLimits {
  readonly #parts: TenantLimitsParts;
  readonly #buckets = new Map<string, Partial<Record<Kind, Bucket>>>();

  constructor(parts: TenantLimitsParts) {
    this.#parts = parts;
  }

  #isLimited(tenant: string): boolean {
    return this.#parts.tenant(tenant)?.limits !== undefined || this.#parts.quotas?.has(tenant) === true;
  }

  /** This agent's part of a limit by the minute; null where there is none. */
  #perMinute(tenant: string, kind: Kind): { readonly all: number; readonly own: number } | null {
    const { agentId } = this.#parts;
    const { limits, shares = [], otherShare = 1 } = this.#parts.tenant(tenant) ?? {};
    const all = limits?.[kind] ?? null;
    if (all === null) return null;
    return { all, own: all * (shares.find((each) => each.agentId === agentId)?.share ?? otherShare) };
  }

  /** Bucket as it is now. */
  #bucket(tenant: string, kind: Kind, perMinute: number): Bucket {
    const nowMs = this.#parts.nowMs();
    let buckets = this.#buckets.get(tenant);
    if (buckets === undefined) {
      const oldest = this.#buckets.size >= maxTenants ? this.#buckets.keys().next().value : undefined;
      if (oldest !== undefined) this.#buckets.delete(oldest);
      buckets = {};
      this.#buckets.set(tenant, buckets);
    }
    // A part below one a minute lets one through now and then.
    const room = perMinute > 0 ? Math.max(1, perMinute) : 0;
    const before = buckets[kind] ?? { left: room, atMs: nowMs };
    const filled = before.left + ((nowMs - before.atMs) / minuteMs) * perMinute;
    const bucket = { left: Math.min(room, filled), atMs: nowMs };
    buckets[kind] = bucket;
    return bucket;
  }

  /** Error RATE_LIMITED or QUOTA_EXCEEDED for a tenant that has used up a limit, with the time after which something is left again; null: its request is let in. */
  refusal(tenant: string): ServiceError | null {
    for (const kind of kinds) {
      const limit = this.#perMinute(tenant, kind);
      if (limit === null) continue;
      const { left } = this.#bucket(tenant, kind, limit.own);
      if (left >= 1) continue;
      const waitMs = limit.own > 0 ? ((1 - left) / limit.own) * minuteMs : minuteMs;
      const share = limit.own < limit.all ? `, of which this agent answers up to ${Math.floor(limit.own)}` : "";
      return new ServiceError("RATE_LIMITED", `tenant ${tenant} may send ${limit.all} ${kind} per minute${share}`, {
        retryAfterS: Math.max(1, Math.ceil(waitMs / secondMs)),
      });
    }
    return this.#parts.quotas?.refusal(tenant) ?? null;
  }

  /** @throws ServiceError of {@link refusal}: nothing is taken then */
  take(tenant: string, cost: Readonly<Record<Kind, number>>): void {
    const refusal = this.refusal(tenant);
    if (refusal !== null) throw refusal;
    for (const kind of kinds) this.#bucketTake(tenant, kind, cost[kind]);
    this.#parts.quotas?.count(tenant, cost);
  }

  /** Gives back what a request without an answer took of its tenant's quotas. */
  #giveBack(tenant: string, { requests, texts, tokens }: Readonly<Record<Kind, number>>): void {
    this.#parts.quotas?.count(tenant, { requests: -requests, texts: -texts, tokens: -tokens });
  }

  #bucketTake(tenant: string, kind: Kind, amount: number): void {
    const bucket = this.#buckets.get(tenant)?.[kind];
    if (bucket !== undefined) bucket.left -= amount;
  }

  /** Corrects a request's estimated tokens by the actual number. */
  settle(tenant: string, kind: Kind, more: number): void {
    this.#bucketTake(tenant, kind, more);
    this.#parts.quotas?.count(tenant, { [kind]: more });
  }

  /** Headers that tell a tenant's clients its limits at this agent: those of OpenAI, and those of the IETF's draft. */
  headersOf(tenant: string): Readonly<Record<string, string>> {
    if (!this.#isLimited(tenant)) return {};
    const headers: Record<string, string> = {};
    const policies: string[] = [];
    const states: string[] = [];
    for (const kind of kinds) {
      const limit = this.#perMinute(tenant, kind);
      if (limit === null) continue;
      const { left } = this.#bucket(tenant, kind, limit.own);
      const quota = Math.floor(limit.own);
      const remaining = Math.max(0, Math.floor(left));
      const resetS = limit.own > 0 ? Math.max(0, Math.ceil(((limit.own - left) / limit.own) * 60)) : 60;
      const nextS = left >= 1 || limit.own <= 0 ? 0 : Math.ceil(((1 - left) / limit.own) * 60);
      policies.push(`"${kind}";q=${quota};w=60`);
      states.push(`"${kind}";r=${remaining};t=${remaining > 0 ? resetS : nextS}`);
      if (kind === "texts") continue;
      headers[`x-ratelimit-limit-${kind}`] = String(quota);
      headers[`x-ratelimit-remaining-${kind}`] = String(remaining);
      headers[`x-ratelimit-reset-${kind}`] = `${resetS}s`;
    }
    for (const { kind, name, quota, remaining, windowS, resetS } of this.#parts.quotas?.figures(tenant) ?? []) {
      policies.push(`"${name}";q=${quota};w=${windowS}`);
      states.push(`"${name}";r=${remaining};t=${resetS}`);
      // OpenAI's headers know one limit of a kind: the one by the minute, or the shortest.
      if (kind === "texts" || headers[`x-ratelimit-limit-${kind}`] !== undefined) continue;
      headers[`x-ratelimit-limit-${kind}`] = String(quota);
      headers[`x-ratelimit-remaining-${kind}`] = String(remaining);
      headers[`x-ratelimit-reset-${kind}`] = `${resetS}s`;
    }
    if (policies.length === 0) return {};
    return { ...headers, "ratelimit-policy": policies.join(", "), ratelimit: states.join(", ") };
  }

  /** Refuses requests beyond their tenant's limits. Requests of other agents were counted there. */
  before(embedder: Embedder): Embedder {
    const isLimited = (tenant: string) => this.#isLimited(tenant);
    const tokensOf = ({ inputs }: Pick<EmbedRequest, "inputs">) =>
      inputs.reduce<number>((sum, input) => sum + estimateTokens(input, maxTokens), 0);
    const embedWithin = async (request: EmbedRequest, tenant: string) => {
      const startedMs = performance.now();
      const tokens = tokensOf(request);
      const cost = { requests: 1, texts: request.inputs.length, tokens };
      try {
        this.take(tenant, cost);
      } catch (error) {
        throw await this.#parts.recordRefused(request, error, startedMs);
      }
      const result = await embedder.embed(request).catch((error) => {
        this.#giveBack(tenant, cost);
        throw error;
      });
      this.settle(tenant, "tokens", result.tokens - tokens);
      return result;
    };
    return {
      embed(request) {
        const { tenant = defaultTenant } = request;
        return isLimited(tenant) ? embedWithin(request, tenant) : embedder.embed(request);
      },
      tokenize: async (request) => {
        const { tenant = defaultTenant, inputs } = request;
        if (isLimited(tenant)) this.take(tenant, { requests: 1, texts: inputs.length, tokens: tokensOf(request) });
        return embedder.tokenize(request);
      },
      inFlight: () => embedder.inFlight(),
      queueDepth: () => embedder.queueDepth(),
    };
  }
}
