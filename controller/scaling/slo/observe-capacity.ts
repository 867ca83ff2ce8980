import type { AgentState } from "#controller/fleet/agent-state.ts";
import { beatsOf } from "#controller/fleet/beats.ts";
import type { AgentCandidate } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { workTexts } from "#protocol/demand.ts";
import type { CapacityEstimate, PowerModeProfile } from "#protocol/messages.ts";

/** Capacity of an agent as the controller counts on it. Rates are texts per second in the most capable mode. */
export interface AgentCapacity {
  readonly qps: number;
  /** Figure of the board's profile; null: it has none. */
  readonly profileQps: number | null;
  /** Figure that the agent measured; null: it has not. */
  readonly measuredQps: number | null;
  /** Confidence in the measurement, 0 to 1. */
  readonly confidence: number;
}

interface Measured {
  /** Rate in the mode it was measured in, over the models in the proportion in which they are asked for. */
  readonly qps: number;
  readonly modeName: string | null;
  readonly confidence: number;
}

/** Capacity by the board's profile, also where the agent states what it measured. */
const statedOf = (mode: PowerModeProfile | undefined): number | null => mode?.profileQps ?? mode?.capacityQps ?? null;

const profileOf = ({ birth }: AgentState, modeName: string | null): number | null =>
  statedOf(birth?.board.powerModes.find(({ name }) => name === modeName));

const topProfileOf = ({ birth }: AgentState): number | null => statedOf(birth?.board.powerModes[0]);

/** Newest measured estimates of an agent, each with the texts that its model was asked for. */
function estimatesOf(agent: AgentState, nowMs: number): { estimate: CapacityEstimate; texts: number }[] {
  const isMeasured = ({ source, qps, confidence }: CapacityEstimate) =>
    source !== "profile" && qps > 0 && confidence > 0;
  const beat = beatsOf(agent, nowMs).at(-1)?.beat;
  const ofBeat = (beat?.models ?? []).flatMap(({ capacity, ...counts }) =>
    capacity !== undefined && isMeasured(capacity) ? [{ estimate: capacity, texts: workTexts(counts) }] : [],
  );
  if (ofBeat.length > 0) return ofBeat;
  const minute = agent.recent.at(-1);
  return (minute?.capacity ?? []).filter(isMeasured).map((estimate) => {
    const asked = minute?.traffic.models.find(({ model }) => model === estimate.model);
    return { estimate, texts: asked === undefined ? 0 : workTexts(asked) };
  });
}

/** Combines what an agent measured of its models: a text of each takes its own share of a second. */
function measuredOf(agent: AgentState, nowMs: number): Measured | null {
  const all = estimatesOf(agent, nowMs);
  const asked = all.filter(({ texts }) => texts > 0);
  const counted = asked.length > 0 ? asked : all.map((each) => ({ ...each, texts: 1 }));
  const [first] = counted;
  if (first === undefined) return null;
  const texts = counted.reduce((sum, each) => sum + each.texts, 0);
  const seconds = counted.reduce((sum, { estimate, texts }) => sum + texts / estimate.qps, 0);
  const confidence = counted.reduce((sum, { estimate, texts }) => sum + estimate.confidence * texts, 0) / texts;
  return { qps: texts / seconds, modeName: first.estimate.modeName, confidence };
}

/** Share of the profile's capacity that an agent measured; null where either is unknown. */
function shareOf(agent: AgentState, measured: Measured): number | null {
  const profileQps = profileOf(agent, measured.modeName);
  return profileQps === null || profileQps <= 0 ? null : measured.qps / profileQps;
}

/** Confidence from which an agent's measurement counts as its capacity, and is also used for boards of the same kind. */
export const tellingConfidence = 0.5;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Median share of the profile's capacity that boards of one kind have measured for sure, by the kind's name. */
function shareByBoard(observed: readonly { readonly agent: AgentState; readonly measured: Measured | null }[]) {
  const shares = new Map<string, number[]>();
  for (const { agent, measured } of observed) {
    const share = measured === null || measured.confidence < tellingConfidence ? null : shareOf(agent, measured);
    const board = agent.birth?.board.name;
    if (share === null || board === undefined) continue;
    const others = shares.get(board);
    if (others === undefined) shares.set(board, [share]);
    else others.push(share);
  }
  return new Map([...shares].map(([board, each]) => [board, median(each)] as const));
}

/**
 * Returns the capacity of each agent, by id: its profile's figure and its own measurement, weighed by the confidence in it. An agent that has
 * not measured counts as boards of the same kind that have. `usualQps` is for agents of which nothing is known.
 */
export function observeCapacities(
  agents: readonly AgentState[],
  usualQps: number,
  nowMs: number,
): Map<string, AgentCapacity> {
  const observed = agents.map((agent) => ({ agent, measured: measuredOf(agent, nowMs) }));
  const shares = shareByBoard(observed);
  return new Map(
    observed.map(({ agent, measured }) => {
      const profileQps = topProfileOf(agent);
      const ofBoard = shares.get(agent.birth?.board.name ?? "") ?? 1;
      const believedQps = profileQps === null ? null : profileQps * ofBoard;
      const share = measured === null ? null : shareOf(agent, measured);
      const measuredQps =
        measured === null ? null : share === null || profileQps === null ? measured.qps : share * profileQps;
      const confidence = measured?.confidence ?? 0;
      const qps =
        measuredQps === null
          ? (believedQps ?? usualQps)
          : believedQps === null
            ? measuredQps
            : believedQps * (1 - confidence) + measuredQps * confidence;
      return [agent.agentId, { qps, profileQps, measuredQps, confidence }];
    }),
  );
}

/** Mean of these agents' confident measurements, texts per second; null if there are none. */
export function meanMeasuredQps(
  agents: readonly Pick<AgentCandidate, "measuredQps" | "capacityConfidence">[],
): number | null {
  const measured = agents.flatMap(({ measuredQps = null, capacityConfidence = 0 }) =>
    measuredQps === null || capacityConfidence < tellingConfidence ? [] : measuredQps,
  );
  return measured.length === 0 ? null : measured.reduce((sum, qps) => sum + qps, 0) / measured.length;
}
