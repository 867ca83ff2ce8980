import { describeError, ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { type AgentChannel, agentChannels, agentTopic } from "#protocol/topics.ts";
import type { AgentStore, DecisionStore, MinuteStore } from "../store/store.ts";
import { type AgentState, availabilityOf } from "./agent-state.ts";
import type { DesiredDocuments } from "./desired-documents.ts";
import type { Fleet } from "./fleet.ts";

/** Removes agents from the fleet for good: by an operator, after a long silence, or to make room. Their minutes are kept as long as others. */
export interface Retirement {
  /** @throws ServiceError NOT_FOUND for an agent nobody has heard of, CONFLICT while it is online or its machine is configured. */
  retire(agentId: string): Promise<void>;
  /** Retires those that were not heard of for `retireAfterMs`; resolves with their ids. */
  retireSilent(): Promise<readonly string[]>;
  /** Retires the one that was silent longest, is offline and has no minute on record; false when there is none. */
  makeRoom(): Promise<boolean>;
}

export interface RetirementParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly desired: Pick<DesiredDocuments, "forget">;
  readonly store: AgentStore & Pick<MinuteStore, "hasMinutes"> & Pick<DecisionStore, "insertDecision">;
  readonly broker: Pick<Broker, "publish">;
  readonly staleAfterMs: number;
  readonly retireAfterMs: number;
  /** Agents of the configuration, whose machines are switched: they stay. */
  readonly isConfigured: (agentId: string) => boolean;
  readonly onRetired: (agentId: string) => void;
  /** Since when this controller has heard what agents say without a break; null while it hears nothing. */
  readonly listeningSinceMs: () => number | null;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** A newcomer's message looks at no more agents than this for one to go. */
const mostLookedAt = 100;
/** Room is looked for no more often. */
const lookEachMs = 1000;
/** So long the fleet is listened to before a silence counts. */
const listenFirstMs = 3_600_000;
const retainedChannels = (Object.keys(agentChannels) as AgentChannel[]).filter(
  (channel) => agentChannels[channel].retain,
);

export function createRetirement(parts: RetirementParts): Retirement {
  const { fleetName, fleet, desired, store, broker, staleAfterMs, retireAfterMs, nowMs, log } = parts;
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  /** One that sleeps says nothing for long; here only what was heard counts. */
  const isOnline = (agent: AgentState) =>
    availabilityOf(agent, nowMs(), staleAfterMs).online && nowMs() - agent.lastHeardMs <= staleAfterMs;

  /** Clears what the broker retains of the agent; while the broker is away, what it keeps comes again and is a newcomer's. */
  const clearRetained = async (agentId: string) => {
    for (const channel of retainedChannels) {
      try {
        await broker.publish(agentTopic(fleetName, agentId, channel), "", { retain: true });
      } catch (error) {
        log.warn(
          { agentId, channel, err: describeError(error) },
          "a retired agent's retained messages could not be removed",
        );
      }
    }
  };

  const remove = async (agent: AgentState, rule: string, reason: string) => {
    const { agentId } = agent;
    fleet.remove(agentId);
    await store.removeAgent(agentId);
    await desired.forget(agentId);
    parts.onRetired(agentId);
    // Not awaited: a handler of messages must not wait for a publish.
    void clearRetained(agentId);
    log.info({ agentId, rule }, reason);
    await store.insertDecision({
      atMs: nowMs(),
      kind: "note",
      rule,
      reason: `${agentId}: ${reason}`,
      agents: [agentId],
      inputs: { lastHeardMs: agent.lastHeardMs },
      outcome: { activated: [], stoodBy: [], skipped: [] },
    });
  };

  /** Agents that may be removed, longest silent first. */
  const idle = () =>
    fleet
      .agents()
      .filter((agent) => !isOnline(agent) && !parts.isConfigured(agent.agentId))
      .sort((a, b) => a.lastHeardMs - b.lastHeardMs);

  return {
    async retire(agentId) {
      const agent = fleet.get(agentId);
      if (agent === undefined) throw new ServiceError("NOT_FOUND", `no agent ${agentId} has been heard of`);
      if (isOnline(agent)) throw new ServiceError("CONFLICT", `agent ${agentId} is online: stop it first`);
      if (parts.isConfigured(agentId))
        throw new ServiceError("CONFLICT", `agent ${agentId} is configured in scaling.capacity: remove it there first`);
      await remove(agent, "retired-by-operator", "an operator retired it");
    },
    async retireSilent() {
      const sinceMs = parts.listeningSinceMs();
      // After a start, or while the broker was away, nobody could be heard of.
      if (sinceMs === null || nowMs() - sinceMs < listenFirstMs) return [];
      const silent = idle().filter(({ lastHeardMs }) => nowMs() - lastHeardMs > retireAfterMs);
      for (const agent of silent) {
        await remove(
          agent,
          "retired-silent",
          `not heard of for ${Math.round(retireAfterMs / 86_400_000)} days: retired`,
        );
      }
      return silent.map(({ agentId }) => agentId);
    },
    async makeRoom() {
      if (Math.abs(nowMs() - lookedAtMs) < lookEachMs) return false;
      lookedAtMs = nowMs();
      for (const agent of idle().slice(0, mostLookedAt)) {
        if (await store.hasMinutes(agent.agentId)) continue;
        await remove(agent, "retired-for-another", "offline and without a minute on record: replaced by another agent");
        return true;
      }
      return false;
    },
  };
}
