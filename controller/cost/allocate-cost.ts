import type { Birth } from "#protocol/messages.ts";
import type { MinuteRecord } from "../store/store.ts";
import { type ComputeShare, computeShares } from "./compute-shares.ts";
import type { AgentCost, CostReport, ModelCost, TenantCost } from "./cost-report.ts";
import { createNamesToldApart } from "./names-told-apart.ts";
import { allOnUtilization, topModeEnergyKwh, topModeOf } from "./price-all-on.ts";
import { type MinuteCost, type MinuteUse, type Prices, priceMinute, pricesOf } from "./price-minute.ts";

interface Sum {
  energyKwh: number;
  energyUsd: number;
  amortisationUsd: number;
}

interface AgentSum extends Sum {
  requests: number;
  observedMs: number;
  measuredMs: number;
}

/** What a model or a tenant was used for. */
interface UserSum {
  totalUsd: number;
  energyKwh: number;
  requests: number;
  tokens: number;
}

const noSum = (): Sum => ({ energyKwh: 0, energyUsd: 0, amortisationUsd: 0 });

function add(sum: Sum, amount: Sum): void {
  sum.energyKwh += amount.energyKwh;
  sum.energyUsd += amount.energyUsd;
  sum.amortisationUsd += amount.amortisationUsd;
}

const amountsOf = ({ energyKwh, energyUsd, amortisationUsd }: Sum) => ({
  energyKwh,
  energyUsd,
  amortisationUsd,
  totalUsd: energyUsd + amortisationUsd,
});

const per1000 = (usd: number, requests: number) => (requests === 0 ? null : (usd / requests) * 1000);

function usersOf(users: ReadonlyMap<string, UserSum>) {
  return [...users]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([user, sum]) => [user, { ...sum, usdPer1000Requests: per1000(sum.totalUsd, sum.requests) }] as const);
}

/** Adds minutes up to a report. Minutes may come in any number, but by time. */
export interface CostAllocation {
  add(minute: MinuteRecord): void;
  report(window: { readonly startMs: number; readonly endMs: number }): CostReport;
}

/**
 * Allocates the cost of a fleet's minutes: to agents, to what they were used for, and to models and tenants by their shares of a minute's
 * compute time (by requests where no compute time is recorded). Every cent goes somewhere once, so that the parts add up to the total.
 */
export function createCostAllocation(births: ReadonlyMap<string, Birth | null>, fleetPrices: Prices): CostAllocation {
  const agents = new Map<string, AgentSum>();
  const models = new Map<string, UserSum>();
  const tenants = new Map<string, UserSum>();
  const modelNames = createNamesToldApart();
  const tenantNames = createNamesToldApart();
  const byUse: Record<MinuteUse, Sum> = { serving: noSum(), idle: noSum(), standby: noSum() };
  const allOn = noSum();
  const withoutProfile = new Set<string>();
  let utilizationMs = 0;
  let allOnMs = 0;
  /** The agents of the minute that is being added. */
  let minuteStartMs = Number.NEGATIVE_INFINITY;
  let present: { agentId: string; cost: MinuteCost }[] = [];

  const addToUser = (users: Map<string, UserSum>, user: string, part: ComputeShare, cost: MinuteCost) => {
    const sum = users.get(user) ?? { totalUsd: 0, energyKwh: 0, requests: 0, tokens: 0 };
    sum.totalUsd += part.share * (cost.energyUsd + cost.amortisationUsd);
    sum.energyKwh += part.share * cost.energyKwh;
    sum.requests += part.requests;
    sum.tokens += part.tokens;
    users.set(user, sum);
  };

  const addToUsers = ({ agentId, traffic }: MinuteRecord, cost: MinuteCost) => {
    for (const part of computeShares(traffic.models)) {
      addToUser(models, modelNames.of(agentId, part.model), part, cost);
      addToUser(tenants, tenantNames.of(agentId, part.tenant), part, cost);
    }
  };

  const closeMinute = () => {
    const modes = new Map(present.map(({ agentId }) => [agentId, topModeOf(births.get(agentId) ?? null)]));
    const known = [...modes.values()].filter((mode) => mode !== null);
    const texts = present.reduce((sum, { cost }) => sum + cost.texts, 0);
    const utilization = allOnUtilization(texts, known);
    for (const { agentId, cost } of present) {
      const mode = modes.get(agentId) ?? null;
      if (mode === null) {
        withoutProfile.add(agentId);
        continue;
      }
      const energyKwh = topModeEnergyKwh(mode, utilization, cost.measuredMs);
      const { tariffUsdPerKwh } = pricesOf(births.get(agentId) ?? null, fleetPrices);
      add(allOn, { energyKwh, energyUsd: energyKwh * tariffUsdPerKwh, amortisationUsd: cost.amortisationUsd });
      utilizationMs += utilization * cost.observedMs;
      allOnMs += cost.observedMs;
    }
    present = [];
  };

  const allOnReport = (total: Sum): CostReport["allOn"] => {
    if (agents.size === 0 || withoutProfile.size > 0) return null;
    const amounts = amountsOf(allOn);
    return {
      ...amounts,
      savedUsd: amounts.totalUsd - amountsOf(total).totalUsd,
      savedEnergyKwh: allOn.energyKwh - total.energyKwh,
      meanUtilization: allOnMs === 0 ? 0 : utilizationMs / allOnMs,
    };
  };

  const allOnUnknownReason = (): string | null => {
    if (agents.size === 0) return "no minute is on record in this window";
    if (withoutProfile.size === 0) return null;
    return `capacity and watts of the most capable mode are not known of ${[...withoutProfile].sort().join(", ")}`;
  };

  return {
    add(minute) {
      const { agentId, traffic } = minute;
      const startMs = Math.floor(traffic.minuteStartMs / 60_000) * 60_000;
      if (startMs !== minuteStartMs) closeMinute();
      minuteStartMs = startMs;
      const cost = priceMinute(minute, pricesOf(births.get(agentId) ?? null, fleetPrices));
      present.push({ agentId, cost });
      const agent = agents.get(agentId) ?? { ...noSum(), requests: 0, observedMs: 0, measuredMs: 0 };
      add(agent, cost);
      agent.requests += cost.requests;
      agent.observedMs += cost.observedMs;
      agent.measuredMs += cost.measuredMs;
      agents.set(agentId, agent);
      add(byUse[cost.use], cost);
      if (cost.use === "serving") addToUsers(minute, cost);
    },
    report(window) {
      closeMinute();
      const total = noSum();
      for (const sum of agents.values()) add(total, sum);
      const rows = [...agents]
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([agentId, sum]): AgentCost => {
          const amounts = amountsOf(sum);
          return {
            agentId,
            ...amounts,
            requests: sum.requests,
            usdPer1000Requests: per1000(amounts.totalUsd, sum.requests),
            observedMinutes: sum.observedMs / 60_000,
            // Over the whole window: a minute's energy may be measured together with the next one's.
            missingEnergyMinutes: Math.max(0, sum.observedMs - sum.measuredMs) / 60_000,
          };
        });
      const requests = rows.reduce((sum, row) => sum + row.requests, 0);
      const amounts = amountsOf(total);
      return {
        window: { startMs: Math.round(window.startMs), endMs: Math.round(window.endMs) },
        currency: "USD",
        ...amounts,
        requests,
        usdPer1000Requests: per1000(amounts.totalUsd, requests),
        observedMinutes: rows.reduce((sum, row) => sum + row.observedMinutes, 0),
        missingEnergyMinutes: rows.reduce((sum, row) => sum + row.missingEnergyMinutes, 0),
        byUse: { serving: amountsOf(byUse.serving), idle: amountsOf(byUse.idle), standby: amountsOf(byUse.standby) },
        agents: rows,
        models: usersOf(models).map(([model, sum]): ModelCost => ({ model, ...sum })),
        tenants: usersOf(tenants).map(([tenant, sum]): TenantCost => ({ tenant, ...sum })),
        allOn: allOnReport(total),
        allOnUnknownReason: allOnUnknownReason(),
        prices: fleetPrices,
      };
    },
  };
}
