import type { TimeWindow } from "../cost/window/parse-window.ts";

/** Rates of a tenant, by the minute. */
export interface Rates {
  readonly requests: number;
  readonly tokens: number;
}

/** Step of a tenant's budget that is due and limits the tenant. */
export interface DueLimit {
  readonly budget: string;
  readonly tenant: string;
  readonly limitPercent: number;
  readonly atPercent: number;
  readonly usedPercent: number;
  readonly period: TimeWindow;
}

/** Limits by the minute that a budget puts on a tenant until its period ends. */
export interface Ceiling {
  readonly budget: string;
  readonly tenant: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly limitPercent: number;
  /** Rates of which the limits are a share, as they were when the first step of the period was due. */
  readonly base: Limits;
  readonly limits: Limits;
}

/** Limits by the minute; null: none of this kind. */
export interface Limits {
  readonly requests: number | null;
  readonly tokens: number | null;
}

export type CeilingChange =
  | { readonly kind: "limit"; readonly ceiling: Ceiling; readonly due: DueLimit }
  | {
      readonly kind: "lift";
      readonly ceiling: Ceiling;
      readonly cause: "period-over" | "not-due" | "tenant-gone";
    };

export interface CeilingsInput {
  readonly held: readonly Ceiling[];
  readonly due: readonly DueLimit[];
  readonly nowMs: number;
  /** True: operators froze the fleet, so nothing is limited further. */
  readonly isFrozen: boolean;
  readonly isTenant: (tenant: string) => boolean;
  /** Mean of the newest day by tenant, and the tenant's own limits, which count where nothing was asked for. */
  readonly demandOf: (tenant: string) => Rates;
  readonly ownLimitsOf: (tenant: string) => Limits;
}

export interface CeilingsDecision {
  readonly ceilings: readonly Ceiling[];
  readonly changes: readonly CeilingChange[];
}

/** Share of a rate that still lets something in: whole, and at least one. */
const shareOf = (rate: number | null, percent: number) =>
  rate === null ? null : Math.max(1, Math.ceil((rate * percent) / 100));

/** Strictest step of each budget. */
function strictest(due: readonly DueLimit[]): Map<string, DueLimit> {
  const byBudget = new Map<string, DueLimit>();
  for (const step of due) {
    const before = byBudget.get(step.budget);
    if (before === undefined || step.limitPercent < before.limitPercent) byBudget.set(step.budget, step);
  }
  return byBudget;
}

const isHeldFor = (ceiling: Ceiling | undefined, { tenant, period }: DueLimit): ceiling is Ceiling =>
  ceiling !== undefined && ceiling.tenant === tenant && ceiling.endMs === period.endMs;

function baseOf(tenant: string, { demandOf, ownLimitsOf }: CeilingsInput): Limits | null {
  const demand = demandOf(tenant);
  const own = ownLimitsOf(tenant);
  const base = {
    requests: demand.requests > 0 ? demand.requests : own.requests,
    tokens: demand.tokens > 0 ? demand.tokens : own.tokens,
  };
  return base.requests === null && base.tokens === null ? null : base;
}

/**
 * Decides which tenants budgets limit: by the strictest step that is due, until the period ends, the budget is raised, or the step or the tenant
 * is removed. The rates of which a limit is a share stay those of the period's first step, so that a limit is not taken of what it left.
 */
export function decideCeilings(input: CeilingsInput): CeilingsDecision {
  const { held, due, nowMs, isFrozen, isTenant } = input;
  const steps = strictest(due.filter(({ tenant, period }) => isTenant(tenant) && period.endMs > nowMs));
  const ceilings: Ceiling[] = [];
  const changes: CeilingChange[] = [];
  const heldBy = new Map(held.map((ceiling) => [ceiling.budget, ceiling]));
  for (const ceiling of held) {
    const step = steps.get(ceiling.budget);
    if (step !== undefined && isHeldFor(ceiling, step)) continue;
    const isOver = ceiling.endMs <= nowMs;
    const cause = !isTenant(ceiling.tenant) ? "tenant-gone" : isOver ? "period-over" : "not-due";
    changes.push({ kind: "lift", ceiling, cause });
  }
  for (const step of steps.values()) {
    const before = heldBy.get(step.budget);
    const isHeld = isHeldFor(before, step);
    const isStricter = !isHeld || step.limitPercent < before.limitPercent;
    if (isHeld && (before.limitPercent === step.limitPercent || (isFrozen && isStricter))) {
      ceilings.push(before);
      continue;
    }
    const base = isHeld ? before.base : baseOf(step.tenant, input);
    if (base === null || (isFrozen && isStricter)) continue;
    const { budget, tenant, limitPercent, period } = step;
    const ceiling: Ceiling = {
      ...{ budget, tenant, limitPercent, base, startMs: isHeld ? before.startMs : nowMs, endMs: period.endMs },
      limits: { requests: shareOf(base.requests, limitPercent), tokens: shareOf(base.tokens, limitPercent) },
    };
    ceilings.push(ceiling);
    changes.push({ kind: "limit", ceiling, due: step });
  }
  return { ceilings, changes };
}

/** Use of an hour, or of the part of it that has passed. */
export interface HourUse extends Rates {
  readonly minutes: number;
}

/** Share of the requests of these hours that limits would have refused, at least: peaks within an hour are not seen. */
export function refusedShare(hours: readonly HourUse[], limits: Limits): number {
  let all = 0;
  let refused = 0;
  for (const { requests, tokens, minutes } of hours) {
    const left = (limit: number | null, asked: number) =>
      limit === null || asked <= limit * minutes ? 1 : (limit * minutes) / asked;
    all += requests;
    refused += requests * (1 - Math.min(left(limits.requests, requests), left(limits.tokens, tokens)));
  }
  return all > 0 ? refused / all : 0;
}
