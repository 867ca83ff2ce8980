import { type Static, Type } from "@sinclair/typebox";
import { createPeriods, isTimeZone, type PeriodKind } from "#platform/calendar/calendar-period.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { minuteMs } from "#platform/time.ts";
import { accessLimits, type MinuteData, maxListed, type QuotaParts, type TenantQuotas } from "#protocol/messages.ts";
import { ownValue } from "#protocol/own-value.ts";
import type { KeptStore, Tenant } from "../store/store.ts";
import { decideQuotaGrowth } from "./decide-quota-growth.ts";

/** Part of a quota that agents without demand so far have together, so that each can begin at once. */
const evenPart = 0.05;
/** Share of the next period published before it begins, by the use in this one. */
const nextPart = 0.5;
/** Weight of the newest minute in an agent's demand. */
const newestWeight = 0.5;
const roundTo = 1e6;

const kinds = ["requests", "texts", "tokens"] as const;
const Amount = Type.Number({ minimum: 0 });
const Period = strictObject({
  name: Type.String({ maxLength: 10 }),
  otherPart: Amount,
  agents: Type.Record(
    Type.String(),
    strictObject({ part: Amount, next: Amount, perMinute: Amount, requests: Amount, texts: Amount, tokens: Amount }),
  ),
});
type Period = Static<typeof Period>;
type AgentUse = Period["agents"][string];
const Kept = Type.Record(Type.String(), Type.Partial(strictObject({ day: Period, month: Period })));

/** Name under which the store keeps them. */
const keptName = "quota-parts";

const floored = (part: number) => Math.floor(part * roundTo) / roundTo;

type Quota = NonNullable<TenantQuotas["day"]>;

/** Quotas of a tenant by day and month; null where it has none. */
function quotasOf(settings: Partial<Tenant["settings"]>): {
  timeZone: string;
  day: Quota | null;
  month: Quota | null;
} {
  const { quotaTimeZone } = settings;
  const of = (requests?: number | null, texts?: number | null, tokens?: number | null): Quota | null => {
    const quota = { requests: requests ?? null, texts: texts ?? null, tokens: tokens ?? null };
    return Object.values(quota).every((amount) => amount === null) ? null : quota;
  };
  return {
    timeZone: quotaTimeZone != null && isTimeZone(quotaTimeZone) ? quotaTimeZone : "UTC",
    day: of(settings.requestsPerDay, settings.textsPerDay, settings.tokensPerDay),
    month: of(settings.requestsPerMonth, settings.textsPerMonth, settings.tokensPerMonth),
  };
}

/** Part of a quota that an amount is: of its kinds the largest. */
function partOf(quota: Quota, use: Readonly<Record<(typeof kinds)[number], number>>): number {
  return Math.max(...kinds.map((kind) => (quota[kind] === null ? 0 : use[kind] / Math.max(1, quota[kind]))));
}

type Amounts = Record<(typeof kinds)[number], number>;

const nothing = (): Amounts => ({ requests: 0, texts: 0, tokens: 0 });

interface MinuteUse {
  readonly answered: Amounts;
  /** Answered and refused. */
  readonly asked: Amounts;
}

/** Requests, texts and tokens of a minute by tenant. */
function useOf({ models }: MinuteData["traffic"]): ReadonlyMap<string, MinuteUse> {
  const byTenant = new Map<string, MinuteUse>();
  for (const { tenant, refused = [], ...answered } of models.flatMap(({ tenants = [] }) => tenants)) {
    const use = byTenant.get(tenant) ?? { answered: nothing(), asked: nothing() };
    for (const kind of kinds) {
      use.answered[kind] += answered[kind];
      use.asked[kind] += answered[kind] + refused.reduce((sum, each) => sum + each[kind], 0);
    }
    byTenant.set(tenant, use);
  }
  return byTenant;
}

export interface QuotaPartsOptions {
  /** Number of agents that serve. */
  readonly agents: () => number;
  readonly settingsOf: (tenant: string) => Tenant["settings"] | undefined;
  readonly store: KeptStore;
  readonly nowMs: () => number;
}

/**
 * Divides daily and monthly quotas among agents without a shared counter: each has its own share, which only grows within a period
 * and follows its use. All shares together never exceed the quota. Shares are stored before they are published.
 */
export class TenantQuotaParts {
  readonly #options: QuotaPartsOptions;
  readonly #periods = createPeriods();
  #held: Static<typeof Kept> = {};
  #isSaved = true;

  constructor(options: QuotaPartsOptions) {
    this.#options = options;
  }

  /** Loads what agents were told; to be called once, before anything else. */
  async load(): Promise<void> {
    this.#held = (await this.#options.store.loadKept(keptName, Kept)) ?? {};
  }

  /** Stores changes; to be awaited before publishing them. */
  async save(): Promise<void> {
    for (const tenant of Object.keys(this.#held))
      if (this.#options.settingsOf(tenant) === undefined) this.#forget(tenant);
    if (this.#isSaved) return;
    this.#isSaved = true;
    await this.#options.store.saveKept(keptName, this.#held).catch((error) => {
      this.#isSaved = false;
      throw error;
    });
  }

  /** Counts a minute of an agent, and gives it more of the quotas that it uses. */
  add({ agentId, traffic }: Pick<MinuteData, "agentId" | "traffic">): void {
    for (const [tenant, use] of useOf(traffic)) {
      const settings = this.#options.settingsOf(tenant);
      if (settings === undefined) continue;
      const { timeZone, day, month } = quotasOf(settings);
      for (const [kind, quota] of [
        ["day", day],
        ["month", month],
      ] as const) {
        if (quota === null) continue;
        const period = this.#period(tenant, kind, timeZone);
        // A late minute of a period that is over is not counted into this one.
        if (this.#periods(kind, this.#options.nowMs(), timeZone).startMs > traffic.minuteStartMs) continue;
        this.#count(period, agentId, quota, use, this.#minutesLeft(kind, timeZone));
      }
    }
  }

  #minutesLeft(kind: PeriodKind, timeZone: string): number {
    const nowMs = this.#options.nowMs();
    return (this.#periods(kind, nowMs, timeZone).endMs - nowMs) / minuteMs;
  }

  #count(period: Period, agentId: string, quota: Quota, { answered, asked }: MinuteUse, minutesLeft: number): void {
    const agent = this.#agent(period, agentId);
    if (agent === null) return;
    this.#isSaved = false;
    for (const kind of kinds) agent[kind] += answered[kind];
    agent.perMinute = agent.perMinute * (1 - newestWeight) + partOf(quota, asked) * newestWeight;
    agent.part = decideQuotaGrowth({
      agent: { part: agent.part, used: partOf(quota, agent), perMinute: agent.perMinute },
      allPerMinute: Object.values(period.agents).reduce((sum, { perMinute }) => sum + perMinute, 0),
      ...{ free: this.#free(period), minutesLeft },
    }).part;
  }

  /** Agent's part, listed from now on; null where as many are listed as may be. */
  #agent(period: Period, agentId: string): AgentUse | null {
    const listed = ownValue(period.agents, agentId);
    if (listed !== undefined) return listed;
    if (Object.keys(period.agents).length >= this.#mostListed()) return null;
    const { otherPart } = period;
    const fresh = { part: otherPart, next: otherPart, perMinute: 0, requests: 0, texts: 0, tokens: 0 };
    period.agents[agentId] = fresh;
    return fresh;
  }

  /** Maximum agents with a part of their own, so that the parts of all tenants fit into a message. */
  #mostListed(): number {
    const periods = 2 * Math.max(1, Object.keys(this.#held).length);
    return Math.min(accessLimits.maxQuotaParts, Math.max(1, Math.floor(maxListed.quotaParts / periods)));
  }

  /** Part of the quota that nobody has. */
  #free({ agents, otherPart }: Period): number {
    const parts = Object.values(agents);
    const others = Math.max(0, this.#options.agents() - parts.length);
    // Twice: an agent that is cut off since the last period may have the part that others had then.
    return Math.max(0, 1 - parts.reduce((sum, { part }) => sum + part, 0) - 2 * others * otherPart);
  }

  /** Period of now. A new one begins with the parts that agents were told before. */
  #period(tenant: string, kind: PeriodKind, timeZone: string): Period {
    const { name } = this.#periods(kind, this.#options.nowMs(), timeZone);
    const of = ownValue(this.#held, tenant) ?? {};
    const before = of[kind];
    // A clock that was set back does not begin a period again.
    if (before !== undefined && before.name >= name) return before;
    const active = Object.entries(before?.agents ?? {}).filter(([, { requests }]) => requests > 0);
    const all = active.reduce((sum, [, { requests }]) => sum + requests, 0);
    const otherPart = floored(evenPart / Math.max(1, this.#options.agents(), active.length));
    const agents: Period["agents"] = {};
    for (const [agentId, { next, requests, perMinute }] of active) {
      // Told now, for the period after this one, and not changed in between: who is cut off meanwhile has what is counted for it here.
      const after = floored(nextPart * (requests / all) + otherPart);
      agents[agentId] = { part: next, next: after, perMinute, ...nothing() };
    }
    const period = { name, otherPart, agents };
    this.#held[tenant] = { ...of, [kind]: period };
    this.#isSaved = false;
    return period;
  }

  #forget(tenant: string): void {
    if (this.#held[tenant] === undefined) return;
    delete this.#held[tenant];
    this.#isSaved = false;
  }

  /** A tenant's quotas in the form published to agents; undefined without any. */
  of(tenant: string): TenantQuotas | undefined {
    const settings = this.#options.settingsOf(tenant);
    const { timeZone, day, month } = quotasOf(settings ?? {});
    if (settings === undefined || (day === null && month === null)) {
      this.#forget(tenant);
      return undefined;
    }
    const parts = (kind: PeriodKind): QuotaParts => {
      const { name, agents, otherPart } = this.#period(tenant, kind, timeZone);
      const told = Object.entries(agents).map(([agentId, { part, next }]) => ({ agentId, part, next }));
      return { name, parts: told, otherPart };
    };
    return {
      timeZone,
      ...(day === null ? {} : { day, dayParts: parts("day") }),
      ...(month === null ? {} : { month, monthParts: parts("month") }),
    };
  }
}
