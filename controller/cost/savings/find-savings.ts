import { dayMs, hourMs } from "#platform/time.ts";
import type { AgentState } from "../../fleet/agent-state.ts";
import type { CostHistory, CostHour } from "../history/cost-history.ts";
import type { PriceSource } from "../prices/price-source.ts";
import { decideSavings } from "./decide-savings.ts";
import type { Saving } from "./saving.ts";
import type { SavingsDevice, SavingsInput, SavingsServices } from "./savings-input.ts";

export interface FleetEvidence {
  readonly history: CostHistory;
  readonly agents: readonly AgentState[];
  readonly prices: PriceSource;
  readonly services: SavingsServices;
  readonly nowMs: number;
}

const deviceDays = 7;
const modelDays = 30;
/** Draw of a board that is suspended. */
const sleepWatts = 1;
/** Rate within an hour beside the hour's mean, as the lines tell hours only. */
const peakInHour = 1.5;

interface Use {
  /** Share of each hour for which the device computed. */
  readonly shares: number[];
  idleHours: number;
}

/** Use of each agent in hours with cells by agent. */
function useOf(hours: readonly CostHour[]): Map<string, Use> {
  const uses = new Map<string, Use>();
  for (const { cells } of hours) {
    const ofHour = new Map<string, { computeMs: number; requests: number }>();
    for (const { agentId, computeMs, requests } of cells) {
      if (agentId === "") continue;
      const sum = ofHour.get(agentId) ?? { computeMs: 0, requests: 0 };
      ofHour.set(agentId, { computeMs: sum.computeMs + computeMs, requests: sum.requests + requests });
    }
    for (const [agentId, { computeMs, requests }] of ofHour) {
      const use = uses.get(agentId) ?? { shares: [], idleHours: 0 };
      use.shares.push(Math.min(1, computeMs / hourMs));
      if (requests === 0 && computeMs === 0) use.idleHours += 1;
      uses.set(agentId, use);
    }
  }
  return uses;
}

function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? 0;
}

function deviceOf(
  { agentId, birth, reported, presence }: AgentState,
  use: Use,
  prices: PriceSource,
  nowMs: number,
): SavingsDevice[] {
  // A mode whose figures are unknown can't be compared.
  const modes = (birth?.board.powerModes ?? []).flatMap(({ name, capacityQps, busyWatts, idleWatts }) =>
    capacityQps === null || busyWatts === null || idleWatts === null
      ? []
      : [{ name, capacityQps, busyWatts, idleWatts }],
  );
  const mode = reported?.powerMode ?? modes[0]?.name;
  const now = modes.find(({ name }) => name === mode);
  if (birth === null || mode === undefined || now === undefined) return [];
  const mean = use.shares.reduce((sum, share) => sum + share, 0) / use.shares.length;
  return [
    {
      ...{ agentId, mode, modes, meanQps: mean * now.capacityQps, sleepWatts },
      peakQps: Math.min(1, peakInHour * quantile(use.shares, 0.95)) * now.capacityQps,
      hoursOnPerDay: Math.min(24, use.shares.length / deviceDays),
      idleHoursPerDay: Math.min(24, use.idleHours / deviceDays),
      canSleep: presence?.asleep !== undefined,
      usdPerKwh: prices.at(agentId, birth, nowMs).tariffUsdPerKwh,
    },
  ];
}

/** Days without a request of models that agents have; null where the records reach back less. */
function unusedModels(
  hours: readonly CostHour[],
  agents: readonly AgentState[],
  nowMs: number,
): SavingsInput["models"] {
  const [first] = hours;
  if (first === undefined || nowMs - first.startMs < modelDays * dayMs - hourMs) return [];
  const used = new Set<string | null>();
  for (const { cells } of hours) for (const { model, requests } of cells) if (requests > 0) used.add(model);
  const holders = new Map<string, number>();
  for (const { birth } of agents) for (const { id } of birth?.models ?? []) holders.set(id, (holders.get(id) ?? 0) + 1);
  return [...holders]
    .filter(([model]) => !used.has(model))
    .map(([model, count]) => ({ model, agents: count, unusedDays: modelDays, gb: 0 }));
}

/** Finds savings from a week of device hours, a month of model use, and the configured use of outside services. */
export async function findSavings({ history, agents, prices, services, nowMs }: FleetEvidence): Promise<Saving[]> {
  const hours = await history.hours(nowMs - modelDays * dayMs, nowMs);
  const uses = useOf(hours.filter(({ startMs }) => startMs >= nowMs - deviceDays * dayMs && startMs + hourMs <= nowMs));
  const devices = agents.flatMap((agent) => {
    const use = uses.get(agent.agentId);
    // A day of hours at least: advice by less would be a guess.
    return use === undefined || use.shares.length < 24 ? [] : deviceOf(agent, use, prices, nowMs);
  });
  return decideSavings({ devices, models: unusedModels(hours, agents, nowMs), services });
}
