import { totalOf } from "../allocation/costs.ts";
import { idleRowName } from "../allocation/decide-allocation.ts";
import { type Money, moneyToNumber } from "../money/money.ts";
import type { AllocationSet } from "./allocation-sets.ts";

/** Sum of a group over a window and over each of its steps. */
export interface CostGroup {
  /** group: by its name; other: all groups beyond the most expensive ones; idle: idle cost. */
  readonly kind: "group" | "other" | "idle";
  readonly name: string;
  readonly usd: number;
  readonly requests: number;
  readonly tokens: number;
  /** Energy above idle, kWh. */
  readonly energyKwh: number;
  /** Cost by step; null: no minute of the step is on record. */
  readonly steps: readonly (number | null)[];
}

export interface CostView {
  readonly totalUsd: number;
  readonly requests: number;
  /** The dearest first; then other, then idle. */
  readonly groups: readonly CostGroup[];
  /** Groups that `other` is made of. */
  readonly others: number;
}

interface Sums {
  total: Money;
  requests: number;
  tokens: number;
  energyKwh: number;
  readonly steps: Map<number, Money>;
}

const noSums = (): Sums => ({ total: 0n, requests: 0, tokens: 0, energyKwh: 0, steps: new Map() });

function addTo(sums: Sums, more: Sums): void {
  sums.total += more.total;
  sums.requests += more.requests;
  sums.tokens += more.tokens;
  sums.energyKwh += more.energyKwh;
  for (const [startMs, cost] of more.steps) sums.steps.set(startMs, (sums.steps.get(startMs) ?? 0n) + cost);
}

/** Adds up the sets' rows by name. */
function sumsByName(sets: readonly AllocationSet[]): Map<string, Sums> {
  const groups = new Map<string, Sums>();
  for (const { window, rows } of sets)
    for (const { name, costs, items } of rows) {
      const sums = groups.get(name) ?? noSums();
      groups.set(name, sums);
      const total = totalOf(costs);
      addTo(sums, { ...noSums(), total, steps: new Map([[window.startMs, total]]) });
      for (const { requests, tokens, activeKwh } of items) {
        sums.requests += requests;
        sums.tokens += tokens;
        sums.energyKwh += activeKwh;
      }
    }
  return groups;
}

/**
 * Creates a view of the most expensive groups, the others combined, and idle: they add up to the cost of all sets. Sums are exact until they are shown.
 * @param stepStarts starts of all steps of the window, also of those without a set.
 * @param together groups that are one already, under an empty name; null: none are.
 */
export function makeCostView(
  sets: readonly AllocationSet[],
  stepStarts: readonly number[],
  top: number,
  together: number | null = null,
): CostView {
  const groups = sumsByName(sets);
  const idle = groups.get(idleRowName);
  groups.delete(idleRowName);
  const rest = together === null ? undefined : groups.get("");
  if (together !== null) groups.delete("");
  const sorted = [...groups].sort(([a, x], [b, y]) =>
    x.total === y.total ? a.localeCompare(b) : y.total > x.total ? 1 : -1,
  );
  const known = new Set(sets.map(({ window }) => window.startMs));
  const shown = (kind: CostGroup["kind"], name: string, { total, steps, ...sums }: Sums): CostGroup => ({
    ...{ kind, name, usd: moneyToNumber(total), ...sums },
    steps: stepStarts.map((startMs) => (known.has(startMs) ? moneyToNumber(steps.get(startMs) ?? 0n) : null)),
  });
  // One group more is no longer than "other" with one group in it.
  const isFull = sorted.length > top + 1 || (together ?? 0) > 0;
  const dearest = isFull ? sorted.slice(0, top) : sorted;
  const other = noSums();
  if (rest !== undefined) addTo(other, rest);
  for (const [, sums] of sorted.slice(dearest.length)) addTo(other, sums);
  const all = noSums();
  for (const sums of [...groups.values(), rest, idle]) if (sums !== undefined) addTo(all, sums);
  return {
    ...{
      totalUsd: moneyToNumber(all.total),
      requests: all.requests,
      others: sorted.length - dearest.length + (together ?? 0),
    },
    groups: [
      ...dearest.map(([name, sums]) => shown("group", name, sums)),
      ...(isFull ? [shown("other", "", other)] : []),
      ...(idle === undefined ? [] : [shown("idle", "", idle)]),
    ],
  };
}
