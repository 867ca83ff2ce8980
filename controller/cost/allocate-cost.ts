import { minuteMs } from "#platform/time.ts";
import type { Birth, RoutedTraffic } from "#protocol/messages.ts";
import type { MinuteRecord } from "../store/store.ts";
import { type ComputeShare, computeShares } from "./compute-shares.ts";
import type { CostReport } from "./cost-report.ts";
import { createNamesToldApart, type NamesToldApart } from "./names-told-apart.ts";
import { allOnUtilization, modeEnergyKwh, modeOf } from "./price-all-on.ts";
import { type MinuteCost, type MinuteUse, type Prices, priceMinute, pricesOf } from "./price-minute.ts";
import { ReferenceScale } from "./reference-scale.ts";

interface Sum {
  energyKwh: number;
  energyUsd: number;
  amortisationUsd: number;
  offersUsd: number;
}

interface AgentSum extends Sum {
  requests: number;
  observedMs: number;
  measuredMs: number;
}

/** Sums of a model or a tenant. */
interface UserSum {
  totalUsd: number;
  offersUsd: number;
  energyKwh: number;
  requests: number;
  tokens: number;
}

const noSum = (): Sum => ({ energyKwh: 0, energyUsd: 0, amortisationUsd: 0, offersUsd: 0 });

function add(sum: Sum, amount: Sum): void {
  sum.energyKwh += amount.energyKwh;
  sum.energyUsd += amount.energyUsd;
  sum.amortisationUsd += amount.amortisationUsd;
  sum.offersUsd += amount.offersUsd;
}

const amountsOf = ({ energyKwh, energyUsd, amortisationUsd, offersUsd }: Sum) => ({
  ...{ energyKwh, energyUsd, amortisationUsd, offersUsd },
  totalUsd: energyUsd + amortisationUsd + offersUsd,
});

const per1000 = (usd: number, requests: number) => (requests === 0 ? null : (usd / requests) * 1000);

/** Sums by model or tenant, under names that are told apart. */
interface Users {
  readonly sums: Map<string, UserSum>;
  readonly names: NamesToldApart;
}

function addToUser(users: Users, agentId: string, name: string, part: ComputeShare, cost: MinuteCost): void {
  const user = users.names.of(agentId, name);
  const sum = users.sums.get(user) ?? { totalUsd: 0, offersUsd: 0, energyKwh: 0, requests: 0, tokens: 0 };
  sum.totalUsd += part.share * (cost.energyUsd + cost.amortisationUsd) + part.offersUsd;
  sum.offersUsd += part.offersUsd;
  sum.energyKwh += part.share * cost.energyKwh;
  sum.requests += part.requests;
  sum.tokens += part.tokens;
  users.sums.set(user, sum);
}

function usersOf({ sums }: Users) {
  return [...sums]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([user, sum]) => [user, { ...sum, usdPer1000Requests: per1000(sum.totalUsd, sum.requests) }] as const);
}

/**
 * Allocates the cost of a fleet's minutes: to agents, to what they were used for, and to models and tenants by their shares of a minute's
 * compute time (by requests where no compute time is recorded). The parts add up to the total. Minutes are added in the order of time.
 */
export class CostAllocation {
  readonly #births: ReadonlyMap<string, Birth | null>;
  readonly #fleetPrices: Prices;
  readonly #agents = new Map<string, AgentSum>();
  readonly #models: Users = { sums: new Map(), names: createNamesToldApart() };
  readonly #tenants: Users = { sums: new Map(), names: createNamesToldApart() };
  readonly #byUse: Record<MinuteUse, Sum> = { serving: noSum(), idle: noSum(), standby: noSum() };
  /** Energy by agent with all of them on, by their profiles. */
  readonly #allOnKwh = new Map<string, number>();
  #allOnAmortisationUsd = 0;
  readonly #routes = new Map<RoutedTraffic["kind"], { requests: number; texts: number; usd: number }>();
  readonly #scale = new ReferenceScale();
  readonly #withoutProfile = new Set<string>();
  #utilizationMs = 0;
  #allOnMs = 0;
  /** The minute that is being added, and its agents. */
  #minuteIndex = Number.NEGATIVE_INFINITY;
  #present: { agentId: string; cost: MinuteCost }[] = [];

  constructor(births: ReadonlyMap<string, Birth | null>, fleetPrices: Prices) {
    this.#births = births;
    this.#fleetPrices = fleetPrices;
  }

  add(minute: MinuteRecord): void {
    const { agentId, traffic } = minute;
    const index = Math.floor(traffic.minuteStartMs / minuteMs);
    if (index !== this.#minuteIndex) this.#closeMinute();
    this.#minuteIndex = index;
    const cost = priceMinute(minute, this.#pricesOf(agentId));
    this.#present.push({ agentId, cost });
    const agent = this.#agents.get(agentId) ?? { ...noSum(), requests: 0, observedMs: 0, measuredMs: 0 };
    add(agent, cost);
    agent.requests += cost.requests;
    agent.observedMs += cost.observedMs;
    agent.measuredMs += cost.measuredMs;
    this.#agents.set(agentId, agent);
    add(this.#byUse[cost.use], cost);
    this.#addToScale(minute, cost);
    for (const { routes = [] } of traffic.models) for (const route of routes) this.#addRoute(route);
    if (cost.use !== "serving") return;
    for (const part of computeShares(traffic.models)) {
      addToUser(this.#models, agentId, part.model, part, cost);
      addToUser(this.#tenants, agentId, part.tenant, part, cost);
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
      routes: [...this.#routes].map(([kind, sum]) => ({ kind, ...sum })).sort((a, b) => a.kind.localeCompare(b.kind)),
      byUse: { serving: amountsOf(serving), idle: amountsOf(idle), standby: amountsOf(standby) },
      agents: rows,
      models: usersOf(this.#models).map(([model, sum]) => ({ model, ...sum })),
      tenants: usersOf(this.#tenants).map(([tenant, sum]) => ({ tenant, ...sum })),
      allOn: this.#allOnReport(total),
      allOnUnknownReason: this.#allOnUnknownReason(),
      prices: this.#fleetPrices,
    };
  }

  #pricesOf(agentId: string): Prices {
    return pricesOf(this.#births.get(agentId) ?? null, this.#fleetPrices);
  }

  #addRoute({ kind, requests, texts, usd }: RoutedTraffic): void {
    const sum = this.#routes.get(kind) ?? { requests: 0, texts: 0, usd: 0 };
    this.#routes.set(kind, { requests: sum.requests + requests, texts: sum.texts + texts, usd: sum.usd + usd });
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
        this.#allOnAmortisationUsd += cost.amortisationUsd;
        continue;
      }
      if (mode === null) {
        this.#withoutProfile.add(agentId);
        continue;
      }
      const energyKwh = modeEnergyKwh(mode, utilization, cost.measuredMs);
      this.#allOnKwh.set(agentId, (this.#allOnKwh.get(agentId) ?? 0) + energyKwh);
      this.#allOnAmortisationUsd += cost.amortisationUsd;
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
    const sum = { ...noSum(), amortisationUsd: this.#allOnAmortisationUsd, offersUsd: total.offersUsd };
    for (const [agentId, modelledKwh] of this.#allOnKwh) {
      const energyKwh = modelledKwh * this.#scale.of(agentId);
      add(sum, {
        energyKwh,
        energyUsd: energyKwh * this.#pricesOf(agentId).tariffUsdPerKwh,
        amortisationUsd: 0,
        offersUsd: 0,
      });
    }
    const amounts = amountsOf(sum);
    return {
      ...amounts,
      savedUsd: amounts.totalUsd - amountsOf(total).totalUsd,
      savedEnergyKwh: amounts.energyKwh - total.energyKwh,
      meanUtilization: this.#allOnMs === 0 ? 0 : this.#utilizationMs / this.#allOnMs,
    };
  }

  #allOnUnknownReason(): string | null {
    if (this.#agents.size === 0) return "no minute is on record in this window";
    if (this.#withoutProfile.size === 0) return null;
    return `capacity and watts of the most capable mode are unknown of ${[...this.#withoutProfile].sort().join(", ")}`;
  }
}
