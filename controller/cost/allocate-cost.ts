import type { Birth } from "#protocol/messages.ts";
import type { MinuteRecord } from "../store/store.ts";
import type { AgentCost, CostReport, ModelCost } from "./cost-report.ts";
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

/** Adds minutes up to a report. Minutes may come in any number, but by time. */
export interface CostAllocation {
  add(minute: MinuteRecord): void;
  report(window: { readonly startMs: number; readonly endMs: number }): CostReport;
}

/**
 * Allocates the cost of a fleet's minutes: to agents, to what they were used for, and to models by their share of a minute's compute
 * time (by requests where no compute time is recorded). Every cent goes somewhere once, so that the parts add up to the total.
 */
export function createCostAllocation(births: ReadonlyMap<string, Birth | null>, fleetPrices: Prices): CostAllocation {
  const agents = new Map<string, AgentSum>();
  const models = new Map<string, { totalUsd: number; energyKwh: number; requests: number; tokens: number }>();
  const byUse: Record<MinuteUse, Sum> = { serving: noSum(), idle: noSum(), standby: noSum() };
  const allOn = noSum();
  const withoutProfile = new Set<string>();
  let utilizationMs = 0;
  let allOnMs = 0;
  /** The agents of the minute that is being added. */
  let minuteStartMs = Number.NEGATIVE_INFINITY;
  let present: { agentId: string; cost: MinuteCost }[] = [];

  const addToModels = ({ traffic }: MinuteRecord, cost: MinuteCost) => {
    const computeMs = traffic.models.reduce((sum, model) => sum + model.computeMs, 0);
    for (const model of traffic.models) {
      if (model.requests === 0 && model.computeMs === 0) continue;
      const share = computeMs > 0 ? model.computeMs / computeMs : model.requests / cost.requests;
      const sum = models.get(model.model) ?? { totalUsd: 0, energyKwh: 0, requests: 0, tokens: 0 };
      sum.totalUsd += share * (cost.energyUsd + cost.amortisationUsd);
      sum.energyKwh += share * cost.energyKwh;
      sum.requests += model.requests;
      sum.tokens += model.tokens;
      models.set(model.model, sum);
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
      if (cost.use === "serving") addToModels(minute, cost);
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
        models: [...models]
          .sort(([a], [b]) => a.localeCompare(b))
          .map(
            ([model, sum]): ModelCost => ({ model, ...sum, usdPer1000Requests: per1000(sum.totalUsd, sum.requests) }),
          ),
        allOn: allOnReport(total),
        allOnUnknownReason: allOnUnknownReason(),
        prices: fleetPrices,
      };
    },
  };
}
