import { countToText, durationToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { agentLimits, agentsToCarry } from "./agents-needed.ts";
import { availableOf } from "./choose-agents.ts";
import type { ActiveAgentsDecision, AgentCandidate, ScalingFigures, ScalingInputs } from "./scaling-inputs.ts";

/** Inputs and settings that a decision was made with. */
export interface DecidedWith {
  readonly inputs: ScalingInputs;
  readonly policy: ScalingConfig;
  readonly nowMs: number;
  /** Name of the source of minimum and maximum, e.g. "policy factory"; null: the configuration. */
  readonly limitsOf: string | null;
  /** Promise that was not kept to users, in half a sentence; null: they got what they are promised, or it is unknown. */
  readonly missed?: string | null;
}

type Of<K extends ActiveAgentsDecision["kind"]> = Extract<ActiveAgentsDecision, { kind: K }>;

const serveToText = (agents: number) => countToText(agents, "serves", "serve");

/** "350", or "17 to 350" where agents differ; the usual capacity where there is no agent. */
function capacitiesToText(agents: readonly AgentCandidate[], usualQps: number): string {
  const all = agents.length === 0 ? [usualQps] : agents.map(({ capacityQps }) => capacityQps);
  const [least, highest] = [qpsToText(Math.min(...all)), qpsToText(Math.max(...all))];
  return least === highest ? least : `${least} to ${highest}`;
}

/** "up to 812 texts/s are expected …: that takes 3 agents, …": the traffic and the agents it needs, in half a sentence. */
function explainDemand({ need, peakQps, availableCount }: ScalingFigures, decidedWith: DecidedWith) {
  const { inputs, policy, limitsOf, missed = null } = decidedWith;
  const { liveQps, forecastPeakQps } = inputs;
  const available = availableOf(inputs.candidates);
  const within = `within ${policy.horizonMinutes} min`;
  const now = liveQps === null ? "the present traffic is unknown" : `traffic is ${qpsToText(liveQps)} texts/s`;
  const traffic =
    missed !== null && peakQps !== null
      ? `${missed}; ${qpsToText(peakQps)} texts/s are to be carried`
      : forecastPeakQps === null
        ? `${now}, and there is no forecast`
        : (liveQps ?? 0) > forecastPeakQps
          ? `${now}, more than the forecast ${within} (${qpsToText(forecastPeakQps)})`
          : `${now}, and up to ${qpsToText(forecastPeakQps)} are expected ${within}`;
  const wanted = agentsToCarry(peakQps, available, policy);
  const { maxAgents } = agentLimits(policy, availableCount);
  const maximum =
    maxAgents < policy.maxReplicas
      ? `there ${maxAgents === 1 ? "is" : "are"} only ${maxAgents}`
      : limitsOf === null
        ? `${countToText(maxAgents, "is", "are")} the maximum`
        : `${limitsOf} allows ${maxAgents}`;
  const minimum = limitsOf === null ? `${countToText(need, "is", "are")} the minimum` : `${limitsOf} wants ${need}`;
  const limit = wanted > need ? `, but ${maximum}` : wanted < need ? `, and ${minimum}` : "";
  const each = `loaded to ${Math.round(policy.targetUtilization * 100)} % of ${capacitiesToText(available, policy.capacityPerReplicaQps)}`;
  return `${traffic}: that takes ${countToText(wanted, "agent")} ${each}${limit}`;
}

/** "c (the least electricity: 0.5 J a text)": an agent with the reason for choosing it among `others`. */
function explainChoice(agent: AgentCandidate, others: readonly AgentCandidate[]): string {
  const { agentId, wattsPerQps, energyUsdPerRequest } = agent;
  if (wattsPerQps === null || energyUsdPerRequest === null) return `${agentId} (its electricity use is unknown)`;
  const figure = `${Number(wattsPerQps.toPrecision(2))} J a text`;
  const rivals = others.flatMap((other) => (other === agent ? [] : (other.energyUsdPerRequest ?? [])));
  if (rivals.every((usd) => usd === energyUsdPerRequest)) return `${agentId} (${figure})`;
  if (rivals.every((usd) => energyUsdPerRequest <= usd)) return `${agentId} (the least electricity: ${figure})`;
  if (rivals.every((usd) => energyUsdPerRequest >= usd)) return `${agentId} (the most electricity: ${figure})`;
  return `${agentId} (${figure})`;
}

function explainScaleOut({ activate, cause, figures }: Of<"scale-out">, decidedWith: DecidedWith): string {
  const { inputs, policy, limitsOf } = decidedWith;
  const { replaced = [], belowMinimum = false, stepLimit = null, overloadedAtQps = null } = cause ?? {};
  const byId = new Map(inputs.candidates.map((agent) => [agent.agentId, agent]));
  const idle = inputs.candidates.filter(
    ({ active, unavailable, overrideRole }) => !active && unavailable === null && overrideRole === null,
  );
  const switchedOn = activate.flatMap((agentId) => byId.get(agentId) ?? []);
  const names = [
    ...switchedOn.filter(({ overrideRole }) => overrideRole === null).map((agent) => explainChoice(agent, idle)),
    ...switchedOn
      .filter(({ overrideRole }) => overrideRole !== null)
      .map(({ agentId }) => `${agentId} (an operator wants it)`),
  ];
  const gone = listToText(replaced.map((agentId) => `${agentId} (${byId.get(agentId)?.unavailable})`));
  const state = serveToText(figures.activeCount);
  const { minAgents } = agentLimits(policy, figures.availableCount);
  const minimum =
    limitsOf === null ? `at least ${countToText(minAgents, "is", "are")} to serve` : `${limitsOf} wants ${minAgents}`;
  const demandSaysSo =
    figures.peakQps !== null && agentsToCarry(figures.peakQps, availableOf(inputs.candidates), policy) < figures.need;
  const because = [
    figures.peakQps === null ? "no traffic has been reported yet" : explainDemand(figures, decidedWith),
    replaced.length > 0 ? `${state}, and ${gone} can no longer be counted on` : state,
    ...(belowMinimum && !demandSaysSo ? [minimum] : []),
  ];
  const capped = stepLimit === null ? "" : `; at most ${stepLimit} may serve after one step`;
  const overload =
    overloadedAtQps === null
      ? ""
      : `; OVERLOADED: then everything is on and carries ${qpsToText(overloadedAtQps)} texts/s at that load`;
  return `${because.join("; ")} -> switch on ${listToText(names)}${capped}${overload}`;
}

function explainScaleIn({ rule, standBy, figures }: Of<"scale-in">, decidedWith: DecidedWith): string {
  if (rule === "override") return `by an operator's order -> ${listToText(standBy)} to standby`;
  const { inputs, policy, limitsOf } = decidedWith;
  const active = inputs.candidates.filter(
    ({ active, unavailable, overrideRole }) =>
      active && unavailable === null && (overrideRole === null || overrideRole === "active"),
  );
  const names = active.filter(({ agentId }) => standBy.includes(agentId));
  const inOrder = names.toSorted((a, b) => standBy.indexOf(a.agentId) - standBy.indexOf(b.agentId));
  const limit =
    figures.activeCount > policy.maxReplicas
      ? `${limitsOf === null ? "" : `${limitsOf} says that `}at most ${policy.maxReplicas} may`
      : `at most ${countToText(figures.windowNeed, "was", "were")} needed in the last ${durationToText(policy.stabilizationMs / 1000)}`;
  const chosen = listToText(inOrder.map((agent) => explainChoice(agent, active)));
  return `${explainDemand(figures, decidedWith)}; ${serveToText(figures.activeCount)}, but ${limit} -> ${chosen} to standby`;
}

function explainHold({ rule, figures }: Of<"hold">, decidedWith: DecidedWith): string {
  const { inputs, policy, nowMs } = decidedWith;
  const { need, windowNeed, activeCount, availableCount, carriedQps } = figures;
  const demand = () => explainDemand(figures, decidedWith);
  const state = serveToText(activeCount);
  const tolerated = `a change of no more than ${Math.round(policy.tolerance * 100)} % is not worth it`;
  const carried = `${state} and ${activeCount === 1 ? "carries" : "carry"} ${qpsToText(carriedQps)}`;
  const fewer = () => `${demand()}; ${state}, and fewer would do`;
  const window = durationToText(policy.stabilizationMs / 1000);
  switch (rule) {
    case "warming-up": {
      const left = durationToText((inputs.warmUpEndsMs - nowMs) / 1000);
      return `the controller has just started and only listens to the fleet for another ${left}`;
    }
    case "no-agents": {
      const why = inputs.candidates.map(
        ({ agentId, unavailable, overrideRole }) =>
          `${agentId} (${unavailable ?? `an operator wants it ${overrideRole}`})`,
      );
      return `no agent can serve: ${why.length === 0 ? "none is known" : listToText(why)}`;
    }
    case "no-data":
      return "no agent has reported a minute of traffic yet, so nothing is changed";
    case "overloaded": {
      const { maxAgents } = agentLimits(policy, availableCount);
      const all = activeCount === availableCount ? "everything is on" : `the maximum of ${maxAgents} is on`;
      return `${demand()}; OVERLOADED: ${all} and carries ${qpsToText(carriedQps)} texts/s at that load`;
    }
    case "slo-missed": {
      const { starting = [] } = inputs.slo ?? {};
      const more =
        starting.length === 0 ? "" : `; ${listToText(starting)} ${starting.length === 1 ? "is" : "are"} about to serve`;
      return `${demand()}; ${state}${more}: none is put on standby meanwhile`;
    }
    case "held-off": {
      const left = durationToText(((inputs.heldUntilMs ?? nowMs) - nowMs) / 1000);
      return `${fewer()}, but last time that missed the SLO: none is put on standby for another ${left}`;
    }
    case "sufficient":
      return `${demand()}; ${carried}: enough`;
    case "within-tolerance":
      return `${demand()}; ${need < activeCount ? state : carried}: ${tolerated}`;
    case "missing-data":
      return inputs.missingData.length > 0
        ? `${fewer()}, but there is no new data from ${listToText(inputs.missingData)}, and missing data does not mean less traffic`
        : `${fewer()}, but there is no forecast, and without one no agent is put on standby`;
    case "stabilising": {
      const leftS = (inputs.observedSinceMs - (nowMs - policy.stabilizationMs)) / 1000;
      return leftS > 0
        ? `${fewer()}, but this must last another ${durationToText(leftS)}`
        : `${fewer()}, but ${countToText(windowNeed, "was", "were")} needed at some time in the last ${window}; agents go on standby once that is past`;
    }
    case "capacity":
      return `${fewer()}, but operators want each of them to serve`;
    case "plan":
    case "frozen":
      throw new Error(`a plain decision is never by the rule ${rule}. This is a bug.`);
    default:
      return rule satisfies never;
  }
}

export function explainActiveAgents(decision: ActiveAgentsDecision, decidedWith: DecidedWith): string {
  if (decision.kind === "hold") return explainHold(decision, decidedWith);
  if (decision.kind === "scale-out") return explainScaleOut(decision, decidedWith);
  if (decision.kind === "scale-in") return explainScaleIn(decision, decidedWith);
  throw new Error("a plain decision changes no modes. This is a bug.");
}
