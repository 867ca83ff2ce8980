import { type Static, Type } from "@sinclair/typebox";
import { ServiceError } from "#platform/errors.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { dayMs } from "#platform/time.ts";
import { bounds, Identifier } from "#protocol/bounds.ts";
import type { KeptStore } from "../../store/store.ts";
import type { CostHistory } from "../history/cost-history.ts";
import { type CostDimension, costDimensions, spentBy, spentOf } from "../history/sum-costs.ts";
import { moneyToNumber } from "../money/money.ts";
import type { TimeWindow } from "../window/parse-window.ts";
import { type Comparison, decideComparison, type Period } from "./decide-comparison.ts";

const Parts = Type.Record(Type.String({ maxLength: 128 }), Type.Number());

/** Costs of a time, kept under a name, so that they can be compared with when its records are gone. */
export const Baseline = strictObject({
  name: { ...Identifier, description: "name of the baseline" },
  startMs: Type.Number({ minimum: 0, maximum: bounds.timeMs }),
  endMs: Type.Number({ minimum: 0, maximum: bounds.timeMs }),
  days: Type.Number({ description: "days with records, parts of them included" }),
  usd: Type.Number(),
  requests: Type.Number(),
  parts: strictObject({ region: Parts, tenant: Parts, model: Parts, agent: Parts }),
});
export type Baseline = Static<typeof Baseline>;

const Kept = strictObject({ baselines: Type.Array(Baseline) });
const keptAs = "cost-baselines";
const maxBaselines = 20;
/** Maximum parts of a dimension that are kept, the most expensive ones; the rest is one. */
const maxParts = 200;

export interface BaselinesParts {
  readonly store: KeptStore;
  readonly history: CostHistory;
}

/** Lists the baselines that are kept. */
export const listBaselines = async (store: Pick<KeptStore, "loadKept">): Promise<Baseline[]> =>
  (await store.loadKept(keptAs, Kept))?.baselines ?? [];

/** Costs of times, as they were stored to be compared with. */
export class Baselines {
  readonly #parts: BaselinesParts;

  constructor(parts: BaselinesParts) {
    this.#parts = parts;
  }

  list(): Promise<Baseline[]> {
    return listBaselines(this.#parts.store);
  }

  /** Keeps a time under a name, in place of the one before. @throws ServiceError without records of that time, or for too many */
  async set(name: string, window: TimeWindow): Promise<Baseline> {
    const others = (await this.list()).filter((each) => each.name !== name);
    if (others.length >= maxBaselines)
      throw new ServiceError("CONFLICT", `expected at most ${maxBaselines} baselines: remove one first`);
    const baseline = await this.#measure(name, window);
    if (baseline.days === 0)
      throw new ServiceError("INVALID_REQUEST", "window: expected a time with records, got none");
    await this.#parts.store.saveKept(keptAs, { baselines: [...others, baseline] });
    return baseline;
  }

  /** @throws ServiceError when there is none of this name */
  async remove(name: string): Promise<void> {
    const all = await this.list();
    const left = all.filter((each) => each.name !== name);
    if (left.length === all.length) throw new ServiceError("NOT_FOUND", `there is no baseline "${name}"`);
    await this.#parts.store.saveKept(keptAs, { baselines: left });
  }

  /** Renames a tenant's part in all baselines, whose sums stay; resolves with their number. */
  async eraseTenant(tenant: string): Promise<number> {
    const all = await this.list();
    const named = all.filter(({ parts }) => Object.hasOwn(parts.tenant, tenant));
    if (named.length === 0) return 0;
    const baselines = all.map((each) => {
      const { [tenant]: erased = 0, ...left } = each.parts.tenant;
      if (!named.includes(each)) return each;
      return { ...each, parts: { ...each.parts, tenant: { ...left, "(erased)": (left["(erased)"] ?? 0) + erased } } };
    });
    await this.#parts.store.saveKept(keptAs, { baselines });
    return named.length;
  }

  /** Compares a time with a baseline. @throws ServiceError when there is none of this name */
  async compare(
    name: string,
    window: TimeWindow,
    by: CostDimension,
  ): Promise<Comparison & { readonly baseline: Baseline }> {
    const baseline = (await this.list()).find((each) => each.name === name);
    if (baseline === undefined) throw new ServiceError("NOT_FOUND", `there is no baseline "${name}"`);
    const now = await this.#measure("now", window);
    const periodOf = ({ days, usd, requests, parts }: Baseline): Period => ({ days, usd, requests, parts: parts[by] });
    return { ...decideComparison(periodOf(baseline), periodOf(now)), baseline };
  }

  async #measure(name: string, { startMs, endMs }: TimeWindow): Promise<Baseline> {
    const hours = await this.#parts.history.hours(startMs, endMs);
    const partsOf = (dimension: CostDimension) => {
      const sorted = [...spentBy(hours, dimension)].sort(([, a], [, b]) => (a < b ? 1 : -1));
      const parts: Record<string, number> = {};
      for (const [index, [value, cost]] of sorted.entries()) {
        const key = index < maxParts ? (value ?? "") : "(others)";
        parts[key] = (parts[key] ?? 0) + moneyToNumber(cost);
      }
      return parts;
    };
    const requests = hours.reduce((sum, { cells }) => sum + cells.reduce((all, cell) => all + cell.requests, 0), 0);
    return {
      ...{ name, startMs, endMs, requests, days: (hours.length * (dayMs / 24)) / dayMs },
      usd: moneyToNumber(spentOf(hours, { kind: "fleet", name: null })),
      parts: Object.fromEntries(costDimensions.map((each) => [each, partsOf(each)])) as Baseline["parts"],
    };
  }
}
