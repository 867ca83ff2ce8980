import { minuteMs } from "#platform/time.ts";
import type { Birth, RoutedTraffic } from "#protocol/messages.ts";
import type { MinuteRecord } from "../store/store.ts";
import type { CostReport } from "./cost-report.ts";
import { type Money, moneyOf, moneyToNumber, productOf } from "./money/money.ts";
import { createNamesToldApart, type NamesToldApart } from "./names-told-apart.ts";
import { allOnUtilization, modeEnergyKwh, modeOf } from "./price-all-on.ts";
import { type MinuteCost, type MinuteUse, type Prices, priceMinute } from "./price-minute.ts";
import { configuredPrices, type PriceSource } from "./prices/price-source.ts";
import { ReferenceScale } from "./reference-scale.ts";
import { splitMinute, type UserPart } from "./split-minute.ts";

interface Sum {
  energyKwh: number;
  energy: Money;
  amortisation: Money;
  offers: Money;
}

interface AgentSum extends Sum {
  /** Tariff of its newest minute. */
  tariffUsdPerKwh: number;
  requests: number;
  observedMs: number;
  measuredMs: number;
}

/** Sums of a model or a tenant. */
interface UserSum {
  used: Money;
  idle: Money;
  offers: Money;
  energyKwh: number;
  activeKwh: number;
  requests: number;
  tokens: number;
}

const noSum = (): Sum => ({ energyKwh: 0, energy: 0n, amortisation: 0n, offers: 0n });

function add(sum: Sum, amount: Sum): void {
  sum.energyKwh += amount.energyKwh;
  sum.energy += amount.energy;
  sum.amortisation += amount.amortisation;
  sum.offers += amount.offers;
}

const sumOfMinute = ({ energyKwh, energyUsd, amortisationUsd, offersUsd }: MinuteCost): Sum => ({
  ...{ energyKwh, energy: moneyOf(energyUsd), amortisation: moneyOf(amortisationUsd), offers: moneyOf(offersUsd) },
});

const totalOf = ({ energy, amortisation, offers }: Sum): Money => energy + amortisation + offers;

const amountsOf = (sum: Sum) => ({
  energyKwh: sum.energyKwh,
  energyUsd: moneyToNumber(sum.energy),
  amortisationUsd: moneyToNumber(sum.amortisation),
  offersUsd: moneyToNumber(sum.offers),
  totalUsd: moneyToNumber(totalOf(sum)),
});

const per1000 = (usd: number, requests: number) => (requests === 0 ? null : (usd / requests) * 1000);

/** Sums by model or tenant, under unambiguous names. */
interface Users {
  readonly sums: Map<string, UserSum>;
  readonly names: NamesToldApart;
}

function addToUser(users: Users, agentId: string, name: string, part: UserPart): void {
  const user = users.names.of(agentId, name);
  const none: UserSum = { used: 0n, idle: 0n, offers: 0n, energyKwh: 0, activeKwh: 0, requests: 0, tokens: 0 };
  const sum = users.sums.get(user) ?? none;
  sum.used += part.used + part.offers;
  sum.idle += part.idle;
  sum.offers += part.offers;
  sum.energyKwh += part.energyKwh;
  sum.activeKwh += part.activeKwh;
  sum.requests += part.requests;
  sum.tokens += part.tokens;
  users.sums.set(user, sum);
}

function usersOf({ sums }: Users) {
  return [...sums]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([user, { used, idle, offers, ...counts }]) => {
      const totalUsd = moneyToNumber(used + idle);
      const parts = { usedUsd: moneyToNumber(used), idleUsd: moneyToNumber(idle), offersUsd: moneyToNumber(offers) };
      return [user, { totalUsd, ...parts, ...counts, usdPer1000Requests: per1000(totalUsd, counts.requests) }] as const;
    });
}

/**
 * Allocates the cost of a fleet's minutes to agents, to uses, and to models and tenants by their shares of a minute's
 * compute time (by requests where no compute time is recorded). The parts add up to the total. Minutes are added in the order of time.
 */
export class CostAllocation {
  readonly #births: ReadonlyMap<string, Birth | null>;
  readonly #fleetPrices: Prices;
  readonly #prices: PriceSource;
  readonly #agents = new Map<string, AgentSum>();
  readonly #models: Users = { sums: new Map(), names: createNamesToldApart() };
  readonly #tenants: Users = { sums: new Map(), names: createNamesToldApart() };
  readonly #byUse: Record<MinuteUse, Sum> = { serving: noSum(), idle: noSum(), standby: noSum() };
  /** Energy by agent with all of them on, by their profiles. */
  readonly #allOnKwh = new Map<string, number>();
  #allOnAmortisation: Money = 0n;
  readonly #routes = new Map<RoutedTraffic["kind"], { requests: number; texts: number; price: Money }>();
  readonly #scale = new ReferenceScale();
  readonly #withoutProfile = new Set<string>();
  #utilizationMs = 0;
  #allOnMs = 0;
  /** The minute that is being added, and its agents. */
  #minuteIndex = Number.NEGATIVE_INFINITY;
  #present: { agentId: string; cost: MinuteCost }[] = [];

  constructor(
    births: ReadonlyMap<string, Birth | null>,
    fleetPrices: Prices,
    prices: PriceSource = configuredPrices(fleetPrices),
  ) {
    this.#births = births;
    this.#fleetPrices = fleetPrices;
    this.#prices = prices;
  }

  add(minute: MinuteRecord): void {
    const { agentId, traffic } = minute;
    const index = Math.floor(traffic.minuteStartMs / minuteMs);
    if (index !== this.#minuteIndex) this.#closeMinute();
    this.#minuteIndex = index;
    const prices = this.#prices.at(agentId, this.#births.get(agentId) ?? null, traffic.minuteStartMs);
    const cost = priceMinute(minute, prices);
    this.#present.push({ agentId, cost });
    const agent = this.#agents.get(agentId) ?? {
      ...{ ...noSum(), requests: 0, observedMs: 0, measuredMs: 0, tariffUsdPerKwh: 0 },
    };
    add(agent, sumOfMinute(cost));
    agent.requests += cost.requests;
    agent.tariffUsdPerKwh = prices.tariffUsdPerKwh;
    agent.observedMs += cost.observedMs;
    agent.measuredMs += cost.measuredMs;
    this.#agents.set(agentId, agent);
    add(this.#byUse[cost.use], sumOfMinute(cost));
    this.#addToScale(minute, cost);
    for (const { routes = [] } of traffic.models) for (const route of routes) this.#addRoute(route);
    if (cost.use !== "serving") return;
    for (const part of splitMinute(minute, cost, prices.tariffUsdPerKwh)) {
      addToUser(this.#models, agentId, part.model, part);
      addToUser(this.#tenants, agentId, part.tenant, part);
    }
  }

  report(window: { readonly startMs: number; readonly endMs: number }): CostReport {
    this.#closeMinute();
    const total = noSum();
    for (const sum of this.#agents.values()) add(total, sum);
    const rows = this.#agentRows();
    const requests = rows.reduce((sum, row) => sum + row.requests, 0);
    const amounts = amountsOf(total);
    const { serving, idle, standby } = this.#byUse;
    return {
      window: { startMs: Math.round(window.startMs), endMs: Math.round(window.endMs) },
      currency: "USD",
      ...amounts,
      requests,
      usdPer1000Requests: per1000(amounts.totalUsd, requests),
      observedMinutes: rows.reduce((sum, row) => sum + row.observedMinutes, 0),
      missingEnergyMinutes: rows.reduce((sum, row) => sum + row.missingEnergyMinutes, 0),
      routes: [...this.#routes]
        .map(([kind, { price, ...sum }]) => ({ kind, ...sum, usd: moneyToNumber(price) }))
        .sort((a, b) => a.kind.localeCompare(b.kind)),
      byUse: { serving: amountsOf(serving), idle: amountsOf(idle), standby: amountsOf(standby) },
      agents: rows,
      models: usersOf(this.#models).map(([model, sum]) => ({ model, ...sum })),
      tenants: usersOf(this.#tenants).map(([tenant, sum]) => ({ tenant, ...sum })),
      allOn: this.#allOnReport(total),
      allOnUnknownReason: this.#allOnUnknownReason(),
      prices: this.#fleetPrices,
      priceGaps: this.#prices.gaps(),
    };
  }

  /** Mean tariff of the agent's energy; the newest tariff if it used none. */
  #tariffOf(agentId: string): number {
    const sum = this.#agents.get(agentId);
    if (sum === undefined) return this.#fleetPrices.tariffUsdPerKwh;
    return sum.energyKwh > 0 ? moneyToNumber(sum.energy) / sum.energyKwh : sum.tariffUsdPerKwh;
  }

  #addRoute({ kind, requests, texts, usd }: RoutedTraffic): void {
    const sum = this.#routes.get(kind) ?? { requests: 0, texts: 0, price: 0n };
    this.#routes.set(kind, {
      requests: sum.requests + requests,
      texts: sum.texts + texts,
      price: sum.price + moneyOf(usd),
    });
  }

  #addToScale({ agentId, role, power }: MinuteRecord, { texts, energyKwh, observedMs, measuredMs }: MinuteCost): void {
    const mode = power === null ? null : modeOf(this.#births.get(agentId) ?? null, power.modeName);
    if (role !== "active" || mode === null || observedMs <= 0) return;
    const utilization = allOnUtilization((texts * minuteMs) / observedMs, [mode]);
    this.#scale.add(agentId, energyKwh, modeEnergyKwh(mode, utilization, measuredMs));
  }

  /** True for an agent without a model: it passes requests on, and is on as it is. */
  #isEntry(agentId: string): boolean {
    return this.#births.get(agentId)?.models.length === 0;
  }

  /** Adds the minute's agents to the sums of all of them on. */
  #closeMinute(): void {
    const modes = new Map(this.#present.map(({ agentId }) => [agentId, modeOf(this.#births.get(agentId) ?? null)]));
    const known = [...modes.values()].filter((mode) => mode !== null);
    const texts = this.#present.reduce((sum, { cost }) => sum + cost.texts, 0);
    const utilization = allOnUtilization(texts, known);
    for (const { agentId, cost } of this.#present) {
      const mode = modes.get(agentId) ?? null;
      if (mode === null && this.#isEntry(agentId)) {
        this.#allOnKwh.set(agentId, (this.#allOnKwh.get(agentId) ?? 0) + cost.energyKwh);
        this.#allOnAmortisation += moneyOf(cost.amortisationUsd);
        continue;
      }
      if (mode === null) {
        this.#withoutProfile.add(agentId);
        continue;
      }
      const energyKwh = modeEnergyKwh(mode, utilization, cost.measuredMs);
      this.#allOnKwh.set(agentId, (this.#allOnKwh.get(agentId) ?? 0) + energyKwh);
      this.#allOnAmortisation += moneyOf(cost.amortisationUsd);
      this.#utilizationMs += utilization * cost.observedMs;
      this.#allOnMs += cost.observedMs;
    }
    this.#present = [];
  }

  #agentRows(): CostReport["agents"] {
    return [...this.#agents]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([agentId, sum]) => {
        const amounts = amountsOf(sum);
        return {
          agentId,
          ...amounts,
          requests: sum.requests,
          usdPer1000Requests: per1000(amounts.totalUsd, sum.requests),
          observedMinutes: sum.observedMs / minuteMs,
          // Over the whole window: a minute's energy may be measured together with the next one's.
          missingEnergyMinutes: Math.max(0, sum.observedMs - sum.measuredMs) / minuteMs,
        };
      });
  }

  #allOnReport(total: Sum): CostReport["allOn"] {
    if (this.#agents.size === 0 || this.#withoutProfile.size > 0) return null;
    // What offers computed stays with them, so that none of their price counts as saved.
    const sum = { ...noSum(), amortisation: this.#allOnAmortisation, offers: total.offers };
    for (const [agentId, modelledKwh] of this.#allOnKwh) {
      const energyKwh = modelledKwh * this.#scale.of(agentId);
      add(sum, {
        energyKwh,
        energy: productOf(energyKwh, this.#tariffOf(agentId)),
        amortisation: 0n,
        offers: 0n,
      });
    }
    return {
      ...amountsOf(sum),
      savedUsd: moneyToNumber(totalOf(sum) - totalOf(total)),
      savedEnergyKwh: sum.energyKwh - total.energyKwh,
      meanUtilization: this.#allOnMs === 0 ? 0 : this.#utilizationMs / this.#allOnMs,
    };
  }

  #allOnUnknownReason(): string | null {
    if (this.#agents.size === 0) return "no minute is on record in this window";
    if (this.#withoutProfile.size === 0) return null;
    return `capacity and watts of the most capable mode are unknown of ${[...this.#withoutProfile].sort().join(", ")}`;
  }
}
