import { type Static, Type } from "@sinclair/typebox";
import type { Logger } from "#platform/log.ts";
import { orNull, strictObject } from "#platform/schema-parts.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { Identifier, TenantName, TimeMs } from "#protocol/bounds.ts";
import { maxBudgets } from "../cost/budgets/budget.ts";
import type { BudgetState } from "../cost/budgets/decide-budget-state.ts";
import type { CostHistory, CostHour } from "../cost/history/cost-history.ts";
import { nothingDone } from "../store/decision-record.ts";
import type { DecisionStore, KeptStore } from "../store/store.ts";
import {
  type Ceiling,
  type CeilingChange,
  type DueLimit,
  decideCeilings,
  type HourUse,
  type Limits,
  refusedShare,
} from "./decide-ceilings.ts";
import { explainCeiling } from "./explain-ceilings.ts";
import type { TenantShares } from "./tenant-shares.ts";
import type { Tenants } from "./tenants.ts";

const Amount = orNull(Type.Number({ minimum: 0 }));
const KeptLimits = strictObject({ requests: Amount, tokens: Amount });
const Kept = strictObject({
  ceilings: Type.Array(
    strictObject({
      ...{ budget: Identifier, tenant: TenantName, startMs: TimeMs, endMs: TimeMs },
      limitPercent: Type.Number({ minimum: 1, maximum: 100 }),
      ...{ base: KeptLimits, limits: KeptLimits },
    }),
    { maxItems: maxBudgets },
  ),
});

const keptAs = "tenant-ceilings";
/** Hours whose mean is the demand of a tenant: those by which budgets are projected. */
const demandHours = 24;
/** Bytes that limits take in the published document, besides the agents' shares. */
const limitsBytes = 512;

export interface TenantCeilingsParts {
  readonly store: KeptStore & Pick<DecisionStore, "insertDecision">;
  readonly history: CostHistory;
  readonly tenants: Pick<Tenants, "find">;
  readonly shares: Pick<TenantShares, "of">;
  /** True: operators froze the fleet. */
  readonly isFrozen: () => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Steps of tenants' budgets that are due and limit the tenant. */
export function dueLimits(states: readonly BudgetState[]): DueLimit[] {
  return states.flatMap(({ budget: { id, scope }, period, usedPercent, reached }) =>
    reached.flatMap(({ action, atPercent, limitPercent }) =>
      action !== "limit" || limitPercent === undefined || scope.kind !== "tenant" || scope.name === null
        ? []
        : [{ budget: id, tenant: scope.name, limitPercent, atPercent, usedPercent, period }],
    ),
  );
}

const lowest = (limits: readonly (number | null)[]): number | null => {
  const numbers = limits.filter((limit) => limit !== null);
  return numbers.length === 0 ? null : Math.min(...numbers);
};

/** Limits imposed on tenants by budgets. Each is recorded before it is published, and survives a restart. */
export class TenantCeilings {
  readonly #parts: TenantCeilingsParts;
  #ceilings: readonly Ceiling[] = [];
  #hasRoom: (bytes: number) => boolean = () => true;
  /** Budgets whose limits the agents could not be told, as was logged. */
  readonly #untold = new Set<string>();

  constructor(parts: TenantCeilingsParts) {
    this.#parts = parts;
  }

  /** Asks this whether the agents can be told so much more. */
  follow(hasRoom: (bytes: number) => boolean): void {
    this.#hasRoom = hasRoom;
  }

  /** Loads what was stored. */
  async recover(): Promise<void> {
    this.#ceilings = (await this.#parts.store.loadKept(keptAs, Kept))?.ceilings ?? [];
  }

  list(): readonly Ceiling[] {
    return this.#ceilings;
  }

  /** Lowest limits of a tenant by its budgets, none of which holds beyond its period; null: none limits it. */
  of(tenant: string): Limits | null {
    const nowMs = this.#parts.nowMs();
    const limits = this.#ceilings
      .filter((each) => each.tenant === tenant && each.endMs > nowMs)
      .map((each) => each.limits);
    if (limits.length === 0) return null;
    return {
      requests: lowest(limits.map(({ requests }) => requests)),
      tokens: lowest(limits.map(({ tokens }) => tokens)),
    };
  }

  /** Forgets a tenant that is erased; resolves with the number of its ceilings. */
  async forgetTenant(tenant: string): Promise<number> {
    const left = this.#ceilings.filter((each) => each.tenant !== tenant);
    const forgotten = this.#ceilings.length - left.length;
    if (forgotten > 0) await this.#keep(left);
    return forgotten;
  }

  /** Follows how budgets stand: limits tenants, and lifts limits. */
  async look(states: readonly BudgetState[]): Promise<void> {
    const { history, tenants, isFrozen, nowMs, log } = this.#parts;
    const due = dueLimits(states);
    if (due.length === 0 && this.#ceilings.length === 0) return;
    const atMs = Math.round(nowMs());
    const recent = await history.hours(atMs - demandHours * hourMs, atMs);
    const { ceilings, changes } = decideCeilings({
      ...{ held: this.#ceilings, due: this.#tellable(due), nowMs: atMs, isFrozen: isFrozen() },
      isTenant: (tenant) => tenants.find(tenant) !== undefined,
      demandOf: (tenant) => demandOf(useOf(recent, tenant, atMs)),
      ownLimitsOf: (tenant) => this.#ownLimits(tenant),
    });
    if (changes.length === 0) return;
    for (const change of changes) {
      const row = this.#rowOf(change, useOf(recent, change.ceiling.tenant, atMs), atMs);
      await this.#parts.store.insertDecision(row);
      log.info({ rule: row.rule }, row.reason);
    }
    await this.#keep(ceilings);
  }

  async #keep(ceilings: readonly Ceiling[]): Promise<void> {
    await this.#parts.store.saveKept(keptAs, { ceilings } satisfies {
      ceilings: readonly Static<typeof Kept>["ceilings"][number][];
    });
    this.#ceilings = ceilings;
  }

  #ownLimits(tenant: string): Limits {
    const { requestsPerMinute, tokensPerMinute } = this.#parts.tenants.find(tenant)?.settings ?? {};
    return { requests: requestsPerMinute ?? null, tokens: tokensPerMinute ?? null };
  }

  /** Due steps, except new ceilings that don't fit into the published document. */
  #tellable(due: readonly DueLimit[]): DueLimit[] {
    const { shares, log } = this.#parts;
    const known = new Set(this.#ceilings.map(({ budget }) => budget));
    for (const budget of this.#untold) if (due.every((step) => step.budget !== budget)) this.#untold.delete(budget);
    let bytes = 0;
    return due.filter(({ budget, tenant }) => {
      if (known.has(budget)) return true;
      const more = bytes + limitsBytes + Buffer.byteLength(JSON.stringify(shares.of(tenant)));
      const fits = this.#hasRoom(more);
      if (fits) {
        bytes = more;
        this.#untold.delete(budget);
      } else if (!this.#untold.has(budget)) {
        this.#untold.add(budget);
        log.warn({ budget }, "the tenant of a budget is not limited, as what agents are told is full");
      }
      return fits;
    });
  }

  #rowOf(change: CeilingChange, hours: readonly HourUse[], atMs: number) {
    const { ceiling } = change;
    const own = this.#ownLimits(ceiling.tenant);
    const limits = {
      requests: lowest([own.requests, ceiling.limits.requests]),
      tokens: lowest([own.tokens, ceiling.limits.tokens]),
    };
    const refused = change.kind === "lift" ? 0 : refusedShare(hours, limits);
    const rule = change.kind === "lift" ? "limit-lifted" : "limit";
    const isGone = change.kind === "lift" && change.cause === "tenant-gone";
    const inputs = isGone ? {} : { tenant: ceiling.tenant, change, refusedShare: refused };
    const reason = explainCeiling(change, refused);
    return { atMs, kind: "spending" as const, rule, reason, agents: [], inputs, outcome: nothingDone };
  }
}

/** Use of a tenant by hour, since the first hour on record. */
function useOf(hours: readonly CostHour[], tenant: string, nowMs: number): HourUse[] {
  return hours.map(({ startMs, cells }) => {
    const own = cells.filter((cell) => cell.tenant === tenant);
    return {
      requests: own.reduce((sum, { requests }) => sum + requests, 0),
      tokens: own.reduce((sum, { tokens }) => sum + tokens, 0),
      minutes: Math.max(1, Math.min(hourMs, nowMs - startMs) / minuteMs),
    };
  });
}

function demandOf(hours: readonly HourUse[]) {
  const minutes = hours.reduce((sum, each) => sum + each.minutes, 0);
  const mean = (of: (hour: HourUse) => number) =>
    minutes > 0 ? hours.reduce((sum, hour) => sum + of(hour), 0) / minutes : 0;
  return { requests: mean(({ requests }) => requests), tokens: mean(({ tokens }) => tokens) };
}
