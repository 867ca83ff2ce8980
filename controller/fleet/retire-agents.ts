import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import type { Broker } from "#protocol/broker.ts";
import { type AgentChannel, agentChannels, agentTopic } from "#protocol/topics.ts";
import { nothingDone } from "../store/decision-record.ts";
import type { AgentStore, DecisionStore, MinuteStore } from "../store/store.ts";
import { type AgentState, availabilityOf } from "./agent-state.ts";
import type { DesiredDocuments } from "./desired-documents.ts";
import type { Fleet } from "./fleet.ts";

export interface RetirementParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly desired: Pick<DesiredDocuments, "forget">;
  readonly store: AgentStore & Pick<MinuteStore, "hasMinutes"> & Pick<DecisionStore, "insertDecision">;
  readonly broker: Pick<Broker, "publish">;
  readonly staleAfterMs: number;
  readonly retireAfterMs: number;
  /** True for agents of the configuration, whose machines are switched: they stay. */
  readonly isConfigured: (agentId: string) => boolean;
  readonly onRetired: (agentId: string) => void;
  /** Time since which this controller has been connected to the broker; null while it is not. */
  readonly listeningSinceMs: () => number | null;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Maximum agents that one new agent's message looks at to find one to replace. */
const maxLookedAt = 100;
/** Minimum time between two such searches. */
const lookEachMs = 1000;
/** Time for which the fleet is listened to before a silence counts. */
const listenFirstMs = hourMs;
const retainedChannels = (Object.keys(agentChannels) as AgentChannel[]).filter(
  (channel) => agentChannels[channel].retain,
);

/** Removes agents from the fleet for good: by an operator, after a long silence, or for a new one. Their minutes are kept as long as others. */
export class Retirement {
  readonly #parts: RetirementParts;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: RetirementParts) {
    this.#parts = parts;
  }

  /**
   * Removes an agent for good: it is forgotten only once its retained messages are cleared, from which a broker would make it known again.
   * @throws ServiceError NOT_FOUND for an unknown agent, CONFLICT while it is online or its machine is configured, BROKER_UNAVAILABLE.
   */
  async retire(agentId: string): Promise<void> {
    const agent = this.#parts.fleet.get(agentId);
    if (agent === undefined) throw new ServiceError("NOT_FOUND", `no agent ${agentId} has been heard of`);
    if (this.#isOnline(agent)) throw new ServiceError("CONFLICT", `agent ${agentId} is online: stop it first`);
    if (this.#parts.isConfigured(agentId))
      throw new ServiceError("CONFLICT", `agent ${agentId} is configured in scaling.capacity: remove it there first`);
    await this.#clearRetained(agentId);
    await this.#remove(agent, "retired-by-operator", "retired by an operator");
  }

  /** Retires agents that have been silent for `retireAfterMs`; resolves with their ids. */
  async retireSilent(): Promise<readonly string[]> {
    const { listeningSinceMs, nowMs, retireAfterMs } = this.#parts;
    const sinceMs = listeningSinceMs();
    // After a start, or while the broker was away, no agent could be heard.
    if (sinceMs === null || nowMs() - sinceMs < listenFirstMs) return [];
    const silent = this.#idle().filter(({ lastHeardMs }) => nowMs() - lastHeardMs > retireAfterMs);
    const reason = `not heard from for ${Math.round(retireAfterMs / dayMs)} days: retired`;
    const retired: string[] = [];
    for (const agent of silent) {
      if (!(await this.#tryToClear(agent.agentId))) break;
      await this.#remove(agent, "retired-silent", reason);
      retired.push(agent.agentId);
    }
    return retired;
  }

  /** Retires the agent that has been silent longest, is offline and has no minute on record; false when there is none. */
  async retireOne(): Promise<boolean> {
    const { store, nowMs } = this.#parts;
    if (Math.abs(nowMs() - this.#lookedAtMs) < lookEachMs) return false;
    this.#lookedAtMs = nowMs();
    for (const agent of this.#idle().slice(0, maxLookedAt)) {
      if (await store.hasMinutes(agent.agentId)) continue;
      const reason = "offline and without a minute on record: replaced by another agent";
      await this.#remove(agent, "retired-for-another", reason);
      // Not awaited: a message handler must not wait for a publish.
      void this.#tryToClear(agent.agentId);
      return true;
    }
    return false;
  }

  /** True for an agent heard from within `staleAfterMs`; a sleeping one, which is silent for long, counts as offline here. */
  #isOnline(agent: AgentState): boolean {
    const { staleAfterMs } = this.#parts;
    const nowMs = this.#parts.nowMs();
    return availabilityOf(agent, nowMs, staleAfterMs).online && nowMs - agent.lastHeardMs <= staleAfterMs;
  }

  /** Agents that may be removed, longest silent first. */
  #idle(): AgentState[] {
    const { fleet, isConfigured } = this.#parts;
    return fleet
      .agents()
      .filter((agent) => !this.#isOnline(agent) && !isConfigured(agent.agentId))
      .sort((a, b) => a.lastHeardMs - b.lastHeardMs);
  }

  async #remove(agent: AgentState, rule: string, reason: string): Promise<void> {
    const { fleet, store, desired, onRetired, nowMs, log } = this.#parts;
    const { agentId } = agent;
    fleet.remove(agentId);
    await store.removeAgent(agentId);
    await desired.forget(agentId);
    onRetired(agentId);
    log.info({ agentId, rule }, reason);
    await store.insertDecision({
      atMs: nowMs(),
      kind: "note",
      rule,
      reason: `${agentId}: ${reason}`,
      agents: [agentId],
      inputs: { lastHeardMs: agent.lastHeardMs },
      outcome: nothingDone,
    });
  }

  /** Clears the agent's retained messages, from which the broker would make it known again. @throws ServiceError BROKER_UNAVAILABLE */
  async #clearRetained(agentId: string): Promise<void> {
    const { fleetName, broker } = this.#parts;
    for (const channel of retainedChannels)
      await broker.publish(agentTopic(fleetName, agentId, channel), "", { retain: true });
  }

  /** Clears the agent's retained messages; false when the broker can't right now. */
  async #tryToClear(agentId: string): Promise<boolean> {
    try {
      await this.#clearRetained(agentId);
      return true;
    } catch (error) {
      this.#parts.log.warn(
        { agentId, err: describeError(error) },
        "a retired agent's retained messages could not be removed",
      );
      return false;
    }
  }
}
