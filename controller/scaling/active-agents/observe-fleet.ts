import { type AgentState, availabilityOf, ownRoleOf } from "#controller/fleet/agent-state.ts";
import { explainSkew, newestMinuteMs } from "#controller/fleet/clock-skew.ts";
import { liveQps } from "#controller/fleet/fleet.ts";
import type { Machines } from "#controller/scaling/actuators/machines.ts";
import { type AgentCapacity, observeCapacities } from "#controller/scaling/slo/observe-capacity.ts";
import type { Override } from "#controller/store/store.ts";
import { joulesPerKwh } from "#platform/energy.ts";
import { minuteMs } from "#platform/time.ts";
import type { AgentRole, Desired, PowerModeProfile, Presence } from "#protocol/messages.ts";
import type { ActWatch } from "./act-watch.ts";
import type { AgentCandidate } from "./scaling-inputs.ts";

/** Time within which a sleeping agent that is wanted must serve; after that it is not counted on. */
const wakeWithinMs = 5 * minuteMs;

export interface ObservedFleet {
  readonly candidates: readonly AgentCandidate[];
  /** Capacities of the agents, by id. */
  readonly capacities: ReadonlyMap<string, AgentCapacity>;
  readonly liveQps: number | null;
  /** Agents meant to serve whose newest minutes are unknown, so that the live rate may be too low. */
  readonly missingData: readonly string[];
  /** Sentence about online agents whose clocks are wrong; null: none. */
  readonly wrongClocks: string | null;
  /** Newest minute that all online agents have reported: up to it the history is complete. */
  readonly lastWholeMinuteMs: number;
  /** Highest total of the agents' own forecasts; null when none has one. */
  readonly agentForecastPeakQps: number | null;
}

export interface ObservationLimits {
  readonly staleAfterMs: number;
  readonly maxDataAgeMs: number;
  /** Time after it was last heard from for which an agent that is gone still counts as a gap in the figures. */
  readonly lostForMs: number;
  /** Number of minutes that the live rate is averaged over. */
  readonly liveWindowMinutes: number;
  readonly capacityPerReplicaQps: number;
  readonly tariffUsdPerKwh: number;
  /** Tariff of an agent at a time. Default: its own, else the one above. */
  readonly tariffOf?: ((agentId: string, timeMs: number) => number) | undefined;
}

/** Role an agent is meant to have: that of its desired document, else its own. */
export function intendedRole(agent: AgentState, desired: Desired | undefined): AgentRole | null {
  return desired?.role ?? ownRoleOf(agent);
}

/** Returns why an agent can't serve now; null when it can. */
export function unavailability(
  agent: AgentState,
  desired: Desired | undefined,
  nowMs: number,
  staleAfterMs: number,
): string | null {
  const availability = availabilityOf(agent, nowMs, staleAfterMs);
  if (!availability.online) return availability.reason;
  const { models, asleep, role } = agent.presence as Presence;
  if (models.length === 0) return "no model is loaded";
  const isTold = desired?.role === "active" && nowMs - desired.issuedAtMs > wakeWithinMs;
  if (asleep !== undefined && isTold) return "sleeps, and was not woken";
  // It drains without having been told to: it is about to stop.
  if (role === "draining" && desired?.role !== "draining") return "draining";
  return null;
}

function toCandidate(
  agent: AgentState,
  desired: Desired | undefined,
  override: Override | undefined,
  capacity: AgentCapacity,
  limits: ObservationLimits,
  nowMs: number,
  watch: Pick<ActWatch, "look"> | undefined,
  machines: Pick<Machines, "unavailability"> | undefined,
): AgentCandidate {
  const { agentId, birth } = agent;
  const { qps: capacityQps, profileQps, measuredQps, confidence } = capacity;
  const { busyWatts = null }: Partial<PowerModeProfile> = birth?.board.powerModes[0] ?? {};
  const isKnown = (profileQps ?? measuredQps) !== null && capacityQps > 0;
  const wattsPerQps = busyWatts === null || !isKnown ? null : busyWatts / capacityQps;
  const tariffUsdPerKwh = limits.tariffOf?.(agentId, nowMs) ?? birth?.prices.tariffUsdPerKwh ?? limits.tariffUsdPerKwh;
  // An agent that is offline can be counted on where a provider can switch its machine on.
  const isOnline = availabilityOf(agent, nowMs, limits.staleAfterMs).online;
  const byMachine = isOnline ? undefined : machines?.unavailability(agentId, nowMs);
  return {
    agentId,
    unavailable:
      byMachine === undefined
        ? (unavailability(agent, desired, nowMs, limits.staleAfterMs) ?? watch?.look(agent, desired, nowMs) ?? null)
        : byMachine,
    active: intendedRole(agent, desired) === "active",
    capacityQps,
    ...(measuredQps === null && (profileQps === null || profileQps === capacityQps)
      ? {}
      : { profileQps, measuredQps, capacityConfidence: confidence }),
    energyUsdPerRequest: wattsPerQps === null ? null : (wattsPerQps / joulesPerKwh) * tariffUsdPerKwh,
    wattsPerQps,
    overrideRole: override?.role ?? null,
  };
}

/** Returns the highest sum of the agents' forecasts over the steps; forecasts of another step length are left out. */
function agentForecastPeak(agents: readonly AgentState[], horizonMinutes: number): number | null {
  const forecasts = agents
    .flatMap(({ recent }) => recent.at(-1)?.forecast ?? [])
    .filter(({ stepMs }) => stepMs === minuteMs);
  if (forecasts.length === 0) return null;
  const sums = Array.from({ length: horizonMinutes }, (_, step) =>
    forecasts.reduce((sum, { qps }) => sum + (qps[step] ?? 0), 0),
  );
  return Math.max(...sums);
}

/** Collects what the decision needs to know of the fleet at `nowMs`, from what the agents have reported. */
export function observeFleet(
  agents: readonly AgentState[],
  desired: ReadonlyMap<string, Desired>,
  overrides: ReadonlyMap<string, Override>,
  limits: ObservationLimits & { readonly horizonMinutes: number },
  nowMs: number,
  watch?: Pick<ActWatch, "look">,
  machines?: Pick<Machines, "unavailability">,
): ObservedFleet {
  const online = agents.filter((agent) => availabilityOf(agent, nowMs, limits.staleAfterMs).online);
  const fresh = online.filter((agent) => newestMinuteMs(agent) >= nowMs - limits.maxDataAgeMs);
  const areOnline = new Set(online);
  const areFresh = new Set(fresh);
  const missingData = agents.filter((agent) => {
    if (intendedRole(agent, desired.get(agent.agentId)) !== "active" || areFresh.has(agent)) return false;
    return areOnline.has(agent) || nowMs - agent.lastHeardMs < limits.lostForMs;
  });
  const lastEndedMs = Math.floor(nowMs / minuteMs) * minuteMs - minuteMs;
  const wholeMs = fresh.reduce(
    (least, agent) => Math.min(least, Math.floor(newestMinuteMs(agent) / minuteMs) * minuteMs),
    lastEndedMs,
  );
  const capacities = observeCapacities(agents, limits.capacityPerReplicaQps, nowMs);
  return {
    capacities,
    candidates: agents.map((agent) => {
      const { agentId } = agent;
      const capacity = capacities.get(agentId) as AgentCapacity;
      return toCandidate(agent, desired.get(agentId), overrides.get(agentId), capacity, limits, nowMs, watch, machines);
    }),
    liveQps: liveQps(fresh, limits.liveWindowMinutes),
    missingData: missingData.map(({ agentId }) => agentId),
    wrongClocks: explainSkew(online),
    lastWholeMinuteMs: wholeMs,
    agentForecastPeakQps: agentForecastPeak(fresh, limits.horizonMinutes),
  };
}
