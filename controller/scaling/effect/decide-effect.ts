import type { AgentRole, ForecastReport } from "#protocol/messages.ts";
import type { AgentCandidate } from "../active-agents/scaling-inputs.ts";

/** Part of an order that is for one agent. */
export interface AgentOrder {
  readonly agentId: string;
  /** Null: the agent keeps its role. */
  readonly role: AgentRole | null;
  /** Share of its capacity that is left in the mode it is to hold or not to exceed; 1: all of it. */
  readonly capacityShare: number;
}

export type Order =
  | { readonly kind: "override"; readonly agents: readonly AgentOrder[]; readonly untilMs: number }
  | { readonly kind: "end-override"; readonly agentIds: readonly string[] }
  | { readonly kind: "freeze"; readonly untilMs: number | null }
  | { readonly kind: "end-freeze" };

/** The fleet as an effect is foretold from it. */
export interface EffectInputs {
  readonly candidates: readonly AgentCandidate[];
  readonly liveQps: number | null;
  readonly forecast: Pick<ForecastReport, "madeAtMs" | "stepMs" | "qps" | "qps90" | "peakQps"> | null;
  /** Load up to which agents are to be used, as a share of their capacity. */
  readonly targetUtilization: number;
  readonly frozen: boolean;
}

/** Rate that is expected, and when. */
export interface ExpectedPeak {
  readonly qps: number;
  readonly atMs: number;
  readonly quantile: "p90" | "median";
}

export interface Serving {
  readonly agents: number;
  readonly capacityQps: number;
}

/** enough: within the target utilisation; tight: beyond it; short: beyond the capacity; none: nobody serves; unknown: no rate is known. */
export type EffectVerdict = "enough" | "tight" | "short" | "none" | "unknown";

/** Foretold effect of an operator's order. Rates are texts per second. */
export interface Effect {
  readonly kind: Order["kind"];
  readonly untilMs: number | null;
  /** Agents that the order names and that are known, and of those the ones that begin and stop serving, or go on at less capacity. */
  readonly named: number;
  readonly starts: readonly string[];
  readonly stops: readonly string[];
  readonly slows: readonly string[];
  /** Named agents that can't follow the order now, with the reason. */
  readonly unable: readonly { readonly agentId: string; readonly reason: string }[];
  readonly before: Serving;
  readonly after: Serving;
  /** Agents on standby that the controller may switch on by itself; none while the fleet is frozen. */
  readonly spare: Serving;
  readonly liveQps: number | null;
  readonly peak: ExpectedPeak | null;
  readonly verdict: EffectVerdict;
}

const finite = (qps: number) => (Number.isFinite(qps) ? qps : 0);

/** Finds the highest expected rate: its 0.9 quantile where the forecast has quantiles, else the median. */
export function expectedPeak(forecast: EffectInputs["forecast"]): ExpectedPeak | null {
  if (forecast === null) return null;
  const { madeAtMs, stepMs, qps, qps90, peakQps } = forecast;
  const path = qps90 ?? qps;
  const highest = path.reduce((best, each, step) => (each > (path[best] ?? -1) ? step : best), 0);
  const value = Math.max(path[highest] ?? 0, peakQps?.q90 ?? 0);
  if (path.length === 0 || !Number.isFinite(value)) return null;
  const isQuantile = qps90 !== undefined || peakQps !== undefined;
  return { qps: value, atMs: madeAtMs + highest * stepMs, quantile: isQuantile ? "p90" : "median" };
}

interface Placed {
  readonly agentId: string;
  readonly serves: boolean;
  readonly capacityQps: number;
  readonly unavailable: string | null;
  readonly overrideRole: AgentRole | null;
}

const place = ({ agentId, active, unavailable, capacityQps, overrideRole }: AgentCandidate): Placed => ({
  ...{ agentId, unavailable, overrideRole, capacityQps: finite(capacityQps) },
  serves: active && unavailable === null,
});

function sum(agents: readonly Placed[]): Serving {
  return { agents: agents.length, capacityQps: agents.reduce((total, { capacityQps }) => total + capacityQps, 0) };
}

/** Orders by the agent that they name; with one that ends overrides, null. */
function orderedAgents(order: Order): ReadonlyMap<string, AgentOrder | null> {
  if (order.kind === "override") return new Map(order.agents.map((agent) => [agent.agentId, agent]));
  return new Map(order.kind === "end-override" ? order.agentIds.map((agentId) => [agentId, null]) : []);
}

function ordered(agent: Placed, own: AgentOrder | null): Placed {
  // Without an override its role stays until the controller decides anew, which it may from then on.
  if (own === null) return { ...agent, overrideRole: null };
  const serves = own.role === null ? agent.serves : own.role === "active" && agent.unavailable === null;
  const overrideRole = own.role ?? agent.overrideRole;
  return { ...agent, serves, overrideRole, capacityQps: agent.capacityQps * own.capacityShare };
}

function verdictOf(after: Serving, spare: Serving, rateQps: number | null, targetUtilization: number): EffectVerdict {
  if (after.agents === 0 && spare.agents === 0) return "none";
  if (rateQps === null) return "unknown";
  if (after.capacityQps < rateQps) return "short";
  return after.capacityQps * targetUtilization < rateQps ? "tight" : "enough";
}

/** Foretells what an operator's order does to the fleet as it is now, before the controller answers to it. */
export function decideEffect(order: Order, inputs: EffectInputs): Effect {
  const { candidates, liveQps, forecast, targetUtilization } = inputs;
  const orders = orderedAgents(order);
  const before = candidates.map(place);
  const after = before.map((agent) => {
    const own = orders.get(agent.agentId);
    return own === undefined ? agent : ordered(agent, own);
  });
  const named = after.filter(({ agentId }) => orders.has(agentId));
  const byId = new Map(before.map((agent) => [agent.agentId, agent]));
  const was = (agentId: string) => byId.get(agentId) as Placed;
  const isFrozen = order.kind === "freeze" || (inputs.frozen && order.kind !== "end-freeze");
  const serving = sum(after.filter(({ serves }) => serves));
  const spare = after.filter(
    ({ serves, unavailable, overrideRole }) => !serves && unavailable === null && overrideRole === null && !isFrozen,
  );
  const peak = expectedPeak(forecast);
  const rateQps = peak === null ? liveQps : Math.max(peak.qps, liveQps ?? 0);
  return {
    kind: order.kind,
    untilMs: "untilMs" in order ? order.untilMs : null,
    named: named.length,
    starts: named.filter(({ agentId, serves }) => serves && !was(agentId).serves).map(({ agentId }) => agentId),
    stops: named.filter(({ agentId, serves }) => !serves && was(agentId).serves).map(({ agentId }) => agentId),
    slows: named
      .filter(({ agentId, serves, capacityQps }) => serves && capacityQps < was(agentId).capacityQps)
      .map(({ agentId }) => agentId),
    unable: named.flatMap(({ agentId, unavailable }) =>
      unavailable !== null && orders.get(agentId)?.role === "active" ? [{ agentId, reason: unavailable }] : [],
    ),
    before: sum(before.filter(({ serves }) => serves)),
    after: serving,
    spare: sum(spare),
    liveQps,
    peak,
    verdict: verdictOf(serving, sum(spare), rateQps, targetUtilization),
  };
}
