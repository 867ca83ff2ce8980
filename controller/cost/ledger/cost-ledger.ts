import { type Static, Type } from "@sinclair/typebox";
import { strictObject } from "#platform/schema-parts.ts";
import { dayMs, hourMs, minuteMs } from "#platform/time.ts";
import type { Birth } from "#protocol/messages.ts";
import type { AgentHour, CostStore, RatedMinute, UnratedMinute } from "../../store/costs/cost-rows.ts";
import type { KeptStore } from "../../store/store.ts";
import type { Prices } from "../price-minute.ts";
import type { PriceSource } from "../prices/price-source.ts";
import { AgentHistory } from "./agent-facts.ts";
import { rateMinute } from "./rate-minute.ts";

export interface CostLedgerParts {
  readonly store: CostStore & KeptStore;
  readonly prices: PriceSource;
  /** Days for which lines of agents by hour are kept, and those of agents by day and of the fleet by hour. Default: 35 and 400. */
  readonly retention?: { readonly costHourDays: number; readonly costDays: number };
  readonly nowMs: () => number;
}

/** Lines of the fleet by day are kept for good. */
const usualRetention = { costHourDays: 35, costDays: 400 } as const;

/** Time after its end at which a day is rolled up: most late minutes have come by then. */
const afterDayMs = hourMs / 2;
/** Maximum hours of agents that are rated in one go of {@link CostLedger.settle}. */
const settledAtOnce = 500;
const page = 500;
/** Maximum names of prices that are remembered. */
const maxKeys = 20_000;

const PricesThen = strictObject({ hash: Type.String() });
const keptName = "cost-prices";

export interface RatingProgress {
  /** True: minutes that were stored before there were cost lines are still to be rated. */
  readonly isBackfilling: boolean;
  /** True: not all hours have been compared with the prices of now, so that some lines may be of earlier ones. */
  readonly isRepricing: boolean;
  /** Hours of agents whose minutes are no longer all on record, so that they kept their prices. */
  readonly kept: number;
}

/**
 * Makes cost lines of minutes, once, and rolls them up. Only what has changed is rated again: hours with late minutes that came without lines,
 * and hours whose prices are others than those they were rated by.
 */
export class CostLedger {
  readonly history: AgentHistory;
  readonly #parts: CostLedgerParts;
  /** Identities of hours' prices, by what the prices depend on. */
  readonly #keys = new Map<string, string>();
  #isBackfilling = false;
  #pricesCompared = false;
  #kept = 0;

  constructor(parts: CostLedgerParts) {
    this.#parts = parts;
    this.history = new AgentHistory(parts.store);
  }

  /** Loads what an earlier run knew of the agents, and notes what they are now; to be called before any minute is rated. */
  async recover(births: readonly (Birth | null)[]): Promise<void> {
    await this.history.recover();
    const { store, nowMs } = this.#parts;
    for (const birth of births) if (birth !== null) await this.history.observe(birth, nowMs(), true);
    const before: Static<typeof PricesThen> | null = await store.loadKept(keptName, PricesThen);
    // Where nothing has been rated yet, nothing was rated by other prices.
    const isNew = before === null && (await store.ratedHours(null, 1)).length === 0;
    this.#pricesCompared = isNew || before?.hash === this.#hash();
    // From here on there are lines of two prices, until all have been compared.
    await store.saveKept(keptName, { hash: this.#pricesCompared ? this.#hash() : "" });
  }

  #hash(): string {
    return Bun.hash(this.#parts.prices.fingerprint).toString(16);
  }

  observeBirth(birth: Birth): Promise<void> {
    return this.history.observe(birth, this.#parts.nowMs());
  }

  /** Cost lines of a minute, by the prices and the region that held then. */
  rate(minute: UnratedMinute): RatedMinute {
    const { agentId, traffic } = minute;
    const { minuteStartMs } = traffic;
    const facts = this.history.at(agentId, minuteStartMs);
    const prices = this.#parts.prices.of(agentId, facts, minuteStartMs);
    const priceKey = this.#priceKey(agentId, Math.floor(minuteStartMs / hourMs) * hourMs);
    return rateMinute(minute, { region: facts.region, prices, priceKey });
  }

  /** Prices of an agent at a time. */
  pricesAt(agentId: string, timeMs: number): Prices {
    const { tariffUsdPerKwh, amortisationUsdPerHour } = this.#parts.prices.of(
      agentId,
      this.history.at(agentId, timeMs),
      timeMs,
    );
    return { tariffUsdPerKwh, amortisationUsdPerHour };
  }

  /** Rates pending hours in [startMs, endMs) for a report; returns the number left. */
  async settle(startMs: number, endMs: number): Promise<number> {
    const { store } = this.#parts;
    const hours = await store.unratedHours(startMs, endMs, settledAtOnce + 1);
    await this.#rateAgain(hours.slice(0, settledAtOnce));
    return Math.max(0, hours.length - settledAtOnce);
  }

  /** Rates what is to be rated and rolls up what has ended, in slices between which others get a turn, until `stopped`. */
  async run(stopped: () => boolean = () => false): Promise<void> {
    const { store, nowMs } = this.#parts;
    if (!this.#pricesCompared) {
      await this.#markPricedOtherwise();
      await store.saveKept(keptName, { hash: this.#hash() });
      this.#pricesCompared = true;
    }
    for (;;) {
      const hours = await store.unratedHours(0, Number.MAX_SAFE_INTEGER, page);
      await this.#rateAgain(hours, stopped);
      if (stopped()) return;
      if (hours.length > 0) continue;
      this.#isBackfilling = await store.markOlderHour();
      if (!this.#isBackfilling) break;
    }
    const now = nowMs();
    const thisHourMs = Math.floor(now / hourMs) * hourMs;
    const { staleHours } = await store.rollUps(0, thisHourMs);
    for (const hour of [...staleHours].sort((a, b) => b - a)) {
      if (stopped()) return;
      await store.rollUpHour(hour);
      await Bun.sleep(0);
    }
    for (const day of await store.daysToRollUp(now - afterDayMs)) {
      if (stopped()) return;
      await store.rollUpDay(day);
    }
  }

  async prune(): Promise<void> {
    const { store, retention = usualRetention } = this.#parts;
    const now = this.#parts.nowMs();
    const beforeMs = now - retention.costDays * dayMs;
    await store.pruneCosts({
      hourMs: now - Math.min(retention.costHourDays, retention.costDays) * dayMs,
      dayMs: beforeMs,
      fleetHourMs: beforeMs,
    });
  }

  progress(): RatingProgress {
    return { isBackfilling: this.#isBackfilling, isRepricing: !this.#pricesCompared, kept: this.#kept };
  }

  async #rateAgain(hours: readonly AgentHour[], stopped: () => boolean = () => false): Promise<void> {
    for (const hour of hours) {
      if (stopped()) return;
      const outcome = await this.#parts.store.rateHourAgain(hour, (minute) => this.rate(minute));
      if (outcome === "kept") this.#kept += 1;
      await Bun.sleep(0);
    }
  }

  /** Marks the hours that were rated by other prices than those of now. */
  async #markPricedOtherwise(): Promise<void> {
    const { store } = this.#parts;
    let after: AgentHour | null = null;
    for (;;) {
      const hours: readonly (AgentHour & { readonly priceKey: string })[] = await store.ratedHours(after, 10 * page);
      const changed = hours.filter(({ agentId, hourStartMs, priceKey }) => {
        return priceKey !== this.#priceKey(agentId, hourStartMs);
      });
      if (changed.length > 0) await store.markUnrated(changed);
      const last = hours.at(-1);
      if (last === undefined || hours.length < 10 * page) return;
      after = last;
      await Bun.sleep(0);
    }
  }

  /** Names the prices of an agent's hour. */
  #priceKey(agentId: string, hourStartMs: number): string {
    const { prices } = this.#parts;
    const facts = this.history.at(agentId, hourStartMs);
    const isConstant = facts === this.history.at(agentId, hourStartMs + hourMs - 1);
    const cacheKey = `${hourStartMs} ${prices.dependsOn(agentId, facts)}`;
    const known = isConstant ? this.#keys.get(cacheKey) : undefined;
    if (known !== undefined) return known;
    const names: string[] = [];
    for (let minute = 0; minute < 60; minute += 1) {
      const timeMs = hourStartMs + minute * minuteMs;
      const { missing: _, ...price } = prices.of(agentId, this.history.at(agentId, timeMs), timeMs);
      const name = JSON.stringify(price);
      if (names.at(-1) !== name) names.push(name, String(minute));
    }
    const key = Bun.hash(names.join()).toString(16);
    if (this.#keys.size >= maxKeys) this.#keys.clear();
    if (isConstant) this.#keys.set(cacheKey, key);
    return key;
  }
}
