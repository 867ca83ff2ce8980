import type { QuotaAmounts, QuotaKind, QuotaUse } from "#agent/access/quota-use.ts";
import {
  type CalendarPeriod,
  createPeriods,
  isTimeZone,
  type PeriodKind,
  periodOf,
} from "#platform/calendar/calendar-period.ts";
import { ServiceError } from "#platform/errors.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import type { QuotaParts, TenantAccess, TenantQuotas as Told } from "#protocol/messages.ts";

const kinds = ["requests", "texts", "tokens"] as const;
const periodKinds = ["day", "month"] as const;
/** Part of this agent's amount that is written to disk ahead of its use. */
const aheadShare = 0.01;
/** Less than this of a quota that nobody has: there is nothing more to be had before the next period. */
const smallRest = 0.002;

export interface TenantQuotasParts {
  readonly agentId: string;
  /** Tenant as the controller told; undefined for others, which have no quotas. */
  readonly tenant: (name: string) => Pick<TenantAccess, "quotas"> | undefined;
  readonly use: QuotaUse;
  /** Time of the calendar. */
  readonly nowMs: () => number;
}

/** One of a tenant's quotas as it is now. */
interface QuotaState {
  readonly period: CalendarPeriod;
  readonly periodKind: PeriodKind;
  readonly kind: QuotaKind;
  readonly all: number;
  /** Amount that this agent may answer in this period, as far as it was told. */
  readonly own: number;
  readonly left: number;
  /** Nothing more comes before the next period. */
  readonly isFinal: boolean;
}

/** Part of this agent in a period, and true when no more of the quota is to be given away. */
function partIn(
  parts: QuotaParts | undefined,
  agentId: string,
  isNext: boolean,
  name: string,
): { part: number; isFinal: boolean } {
  if (parts === undefined) return { part: 1, isFinal: true };
  const own = parts.parts.find((each) => each.agentId === agentId);
  const sum = parts.parts.reduce((total, { part }) => total + part, 0);
  const isFinal = name === parts.name && sum >= 1 - smallRest;
  if (name === parts.name) return { part: own?.part ?? parts.otherPart, isFinal };
  return { part: (isNext ? own?.next : undefined) ?? parts.otherPart, isFinal };
}

/**
 * Quotas of tenants by day and month of the calendar. This agent lets requests in while something is left of its part, which the controller
 * makes larger as it is used; what it was told last holds also while it is cut off.
 */
export class TenantQuotas {
  readonly #parts: TenantQuotasParts;
  readonly #periods = createPeriods();
  /** Names of the periods before. */
  readonly #before = new WeakMap<CalendarPeriod, string>();
  readonly #after = new WeakMap<CalendarPeriod, CalendarPeriod>();

  constructor(parts: TenantQuotasParts) {
    this.#parts = parts;
  }

  has(tenant: string): boolean {
    return this.#parts.tenant(tenant)?.quotas !== undefined;
  }

  #periodOf(kind: PeriodKind, timeZone: string, parts: QuotaParts | undefined): CalendarPeriod {
    const now = this.#periods(kind, this.#parts.nowMs(), timeZone);
    if (parts === undefined || parts.name <= now.name) return now;
    // This clock is behind the controller's, where the next period has begun.
    const next = this.#after.get(now) ?? periodOf(kind, now.endMs, timeZone);
    this.#after.set(now, next);
    return next.name === parts.name ? next : now;
  }

  #isAfter(period: CalendarPeriod, kind: PeriodKind, timeZone: string, name: string): boolean {
    const before = this.#before.get(period) ?? periodOf(kind, period.startMs - 1, timeZone).name;
    this.#before.set(period, before);
    return before === name;
  }

  #states(tenant: string): QuotaState[] {
    const quotas = this.#parts.tenant(tenant)?.quotas;
    return quotas === undefined ? [] : periodKinds.flatMap((periodKind) => this.#statesOf(tenant, periodKind, quotas));
  }

  #statesOf(tenant: string, periodKind: PeriodKind, quotas: Told): QuotaState[] {
    const { agentId, use } = this.#parts;
    const quota = quotas[periodKind];
    if (quota === undefined) return [];
    const timeZone = isTimeZone(quotas.timeZone) ? quotas.timeZone : "UTC";
    const parts = periodKind === "day" ? quotas.dayParts : quotas.monthParts;
    const period = this.#periodOf(periodKind, timeZone, parts);
    const isNext =
      parts !== undefined && parts.name < period.name && this.#isAfter(period, periodKind, timeZone, parts.name);
    const { part, isFinal } = partIn(parts, agentId, isNext, period.name);
    const used = use.used(tenant, periodKind, period.name);
    return kinds.flatMap((kind) => {
      const all = quota[kind];
      if (all === null) return [];
      const own = all * part;
      return [{ period, periodKind, kind, all, own, left: own - used[kind], isFinal }];
    });
  }

  #waitS({ period, isFinal }: QuotaState): number {
    const untilEndMs = period.endMs - this.#parts.nowMs();
    // The controller looks each minute whether an agent needs more.
    return Math.max(1, Math.ceil((isFinal ? untilEndMs : Math.min(untilEndMs, minuteMs)) / secondMs));
  }

  /** Error QUOTA_EXCEEDED for a tenant that has used up a quota, with the time after which there is something again; null: it has not. */
  refusal(tenant: string): ServiceError | null {
    const state = this.#states(tenant).find(({ left }) => left < 1);
    if (state === undefined) return null;
    const { all, own, kind, periodKind, period, isFinal } = state;
    const share = isFinal && own >= all ? "" : `, of which this agent may answer ${Math.floor(own)} so far`;
    const message = `tenant ${tenant} may send ${all} ${kind} per ${periodKind}${share}; the next ${periodKind} begins at ${new Date(period.endMs).toISOString()}`;
    return new ServiceError("QUOTA_EXCEEDED", message, { retryAfterS: this.#waitS(state) });
  }

  /** Counts what a request takes; less than 0 gives back. */
  count(tenant: string, cost: Readonly<Partial<QuotaAmounts>>): void {
    for (const { period, periodKind, kind, own } of this.#states(tenant)) {
      const amount = cost[kind] ?? 0;
      if (amount !== 0)
        this.#parts.use.add(tenant, periodKind, period.name, kind, amount, Math.floor(own * aheadShare));
    }
  }

  /** Each quota by name, with the figures that headers tell: how much, how much is left, and for how long. */
  figures(tenant: string) {
    return this.#states(tenant).map((state) => {
      const { period, periodKind, kind, own, left } = state;
      const remaining = Math.max(0, Math.floor(left));
      const endsS = Math.max(1, Math.ceil((period.endMs - this.#parts.nowMs()) / secondMs));
      return {
        ...{ kind, name: `${kind}-${periodKind}`, quota: Math.floor(own), remaining },
        windowS: Math.round((period.endMs - period.startMs) / secondMs),
        resetS: remaining > 0 ? endsS : this.#waitS(state),
      };
    });
  }
}
