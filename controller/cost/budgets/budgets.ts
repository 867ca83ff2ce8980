import { ServiceError } from "#platform/errors.ts";
import { hourMs } from "#platform/time.ts";
import type { KeptStore } from "../../store/store.ts";
import type { CostHistory } from "../history/cost-history.ts";
import { hoursOnRecord, periodAt, spentOf } from "../history/sum-costs.ts";
import { type Budget, budgetFault, KeptBudgets, maxBudgets } from "./budget.ts";
import { type BudgetState, decideBudgetState } from "./decide-budget-state.ts";

export interface BudgetsParts {
  readonly store: KeptStore;
  readonly history: CostHistory;
  readonly timeZone: string;
  /** True: the controller knows a tenant of this name, so that agents enforce its limits. */
  readonly isTenant: (name: string) => boolean;
  readonly nowMs: () => number;
}

const keptAs = "budgets";
/** Hours by which the rest of a period is projected: a whole day, so that nights count. */
const projectedBy = 24;

/** The fleet's budgets and how they stand. */
export class Budgets {
  readonly #parts: BudgetsParts;
  #budgets = new Map<string, Budget>();
  #states: readonly BudgetState[] = [];

  constructor(parts: BudgetsParts) {
    this.#parts = parts;
  }

  /** Loads what was stored. */
  async recover(): Promise<void> {
    const kept = await this.#parts.store.loadKept(keptAs, KeptBudgets);
    this.#budgets = new Map((kept?.budgets ?? []).map((budget) => [budget.id, budget]));
  }

  /** Lists budgets by name. */
  list(): Budget[] {
    return [...this.#budgets.values()].sort((a, b) => a.id.localeCompare(b.id));
  }

  get(id: string): Budget | null {
    return this.#budgets.get(id) ?? null;
  }

  /** Creates a budget or replaces the one with its name. @throws ServiceError for what is wrong in it */
  async set(budget: Budget): Promise<Budget> {
    const fault = budgetFault(budget);
    if (fault !== null) throw new ServiceError("INVALID_REQUEST", fault);
    const { scope, actions } = budget;
    if (actions.some(({ action }) => action === "limit") && !this.#parts.isTenant(scope.name ?? ""))
      throw new ServiceError(
        "INVALID_REQUEST",
        `scope.name: expected one of the controller's tenants with limit, as agents know no limits of others (thormesh tenants create makes one), got "${scope.name}"`,
      );
    if (!this.#budgets.has(budget.id) && this.#budgets.size >= maxBudgets)
      throw new ServiceError("CONFLICT", `expected at most ${maxBudgets} budgets: remove one first`);
    await this.#replace(new Map(this.#budgets).set(budget.id, budget));
    return budget;
  }

  /** Removes a budget. @throws ServiceError when there is none of this name */
  async remove(id: string): Promise<void> {
    const next = new Map(this.#budgets);
    if (!next.delete(id)) throw new ServiceError("NOT_FOUND", `there is no budget "${id}"`);
    await this.#replace(next);
  }

  /** Removes the budgets of a tenant; resolves with their number. */
  async removeOf(tenant: string): Promise<number> {
    const left = this.list().filter(({ scope }) => scope.kind !== "tenant" || scope.name !== tenant);
    const removed = this.#budgets.size - left.length;
    if (removed > 0) await this.#replace(new Map(left.map((budget) => [budget.id, budget])));
    return removed;
  }

  async #replace(next: Map<string, Budget>): Promise<void> {
    await this.#parts.store.saveKept(keptAs, { budgets: [...next.values()] });
    this.#budgets = next;
    this.#states = this.#states.filter(({ budget }) => next.get(budget.id) === budget);
  }

  /** States of the last look, for decisions: what they may spend, and which actions are due. */
  latest(): readonly BudgetState[] {
    return this.#states;
  }

  /** Looks at what was spent; resolves with how each budget stands. */
  async look(): Promise<readonly BudgetState[]> {
    const { history, timeZone } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const states: BudgetState[] = [];
    const recent = await history.hours(nowMs - projectedBy * hourMs, nowMs);
    // What is on record may be shorter than a day.
    const recentHours = hoursOnRecord(recent, nowMs);
    for (const budget of this.list()) {
      const period = periodAt(budget.period, nowMs, timeZone);
      const spent = spentOf(await history.hours(period.startMs, period.endMs), budget.scope);
      states.push(
        decideBudgetState({ budget, period, nowMs, spent, recent: spentOf(recent, budget.scope), recentHours }),
      );
    }
    this.#states = states;
    return states;
  }
}
