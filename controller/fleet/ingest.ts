import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage } from "#protocol/broker.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { Birth, Command, CommandResult, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import { type AgentChannel, agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import type { AgentStore, MinuteStore } from "../store/store.ts";
import {
  type AgentState,
  mostAheadMs,
  type Observation,
  observeBirth,
  observeMinute,
  observePresence,
  observeReported,
  textsOf,
  unknownAgent,
} from "./agent-state.ts";
import { implausibleMinute, withPlausibleCapacity } from "./check-plausible.ts";
import type { Fleet } from "./fleet.ts";

export type IngestOutcome = "accepted" | "duplicate" | "stale" | "malformed" | "refused";

export interface IngestParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly store: AgentStore & MinuteStore;
  readonly broker: Broker;
  readonly limits: { readonly rebirthIntervalMs: number; readonly maxAgents: number };
  /** What an agent usually carries, texts a second: what is out of all proportion to it is not believed. */
  readonly usualCapacityQps: number;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Every message, for the metrics. */
  readonly onMessage: (channel: AgentChannel | "unknown", outcome: IngestOutcome) => void;
  /** A minute that is new to the store. */
  readonly onMinute: (data: MinuteData, agent: AgentState) => void;
  /** An agent came, went, or said something else of itself than before. */
  readonly onAgentChanged: (before: AgentState | undefined, after: AgentState) => void;
}

export interface Ingest {
  /** Subscribes to what agents say. */
  start(): void;
  /** Takes up what an earlier run of the controller knew. */
  recover(): Promise<void>;
}

const channels = ["presence", "birth", "data", "reported", "cmd-result"] as const;
const weekMs = 7 * 24 * 3_600_000;
const rebirthExpiryMs = 60_000;

/** Takes in what agents publish. A minute's record is handled when it is stored; malformed messages are counted, never fatal. */
export function createIngest(parts: IngestParts): Ingest {
  const { fleetName, fleet, store, broker, limits, nowMs, log } = parts;
  const counted = createCountedLog(log, Date.now);
  const rebirthAskedMs = new Map<string, number>();

  const refuse = (channel: AgentChannel | "unknown", topic: string, reason: string, outcome: IngestOutcome) => {
    parts.onMessage(channel, outcome);
    counted.note(`a message was ${outcome}`, { topic, reason });
  };

  /** Not awaited by its caller: a handler must not wait for a publish. */
  const askForRebirth = async (agentId: string, reason: string) => {
    const now = nowMs();
    const lastMs = rebirthAskedMs.get(agentId);
    // The distance counts, whatever its sign: a clock that was set back must not silence this for as long.
    if (lastMs !== undefined && Math.abs(now - lastMs) < limits.rebirthIntervalMs) return;
    rebirthAskedMs.set(agentId, now);
    const issuedAtMs = Math.round(now);
    const command = encodeMessage(Command, {
      v: 1,
      id: crypto.randomUUID(),
      agentId,
      kind: "rebirth",
      issuedAtMs,
      expiresAtMs: issuedAtMs + rebirthExpiryMs,
    });
    log.info({ agentId, reason }, "asking the agent to introduce itself again");
    try {
      await broker.publish(agentTopic(fleetName, agentId, "cmd"), command, { retain: false });
    } catch (error) {
      log.warn({ agentId, err: describeError(error) }, "asking for a rebirth failed");
    }
  };

  /** An introduction without figures that can't be; said each time an agent introduces itself so. */
  const believable = (message: Presence | Birth | Reported): Presence | Birth | Reported => {
    if (!("board" in message)) return message;
    const { birth, faults } = withPlausibleCapacity(message, parts.usualCapacityQps);
    for (const fault of faults) log.warn({ agentId: message.agentId, fault }, "an agent's capacity is not believed");
    return birth;
  };

  const apply = async (before: AgentState | undefined, observation: Observation, keep: boolean) => {
    const { state, rebirthReason } = observation;
    fleet.put(state);
    if (keep) await store.saveAgent(state);
    if (rebirthReason !== null) void askForRebirth(state.agentId, rebirthReason);
    if (keep) parts.onAgentChanged(before, state);
  };

  const takeMinute = async (data: MinuteData, before: AgentState): Promise<IngestOutcome> => {
    // Stored before anything else: what fails here is not acknowledged and comes again.
    const isNew = await store.insertMinute(data);
    if (!isNew) {
      fleet.put({ ...before, lastHeardMs: nowMs() });
      return "duplicate";
    }
    const aheadMs = data.traffic.minuteStartMs - nowMs();
    if (aheadMs <= mostAheadMs) fleet.traffic.add(data.traffic.minuteStartMs, textsOf(data));
    else {
      const { agentId } = data;
      const note = { agentId, aheadS: Math.round(aheadMs / 1000) };
      counted.note("a minute lies in the future: its agent's clock is wrong, or this one; it is not counted", note);
    }
    const observation = observeMinute(before, data, nowMs());
    await apply(before, observation, false);
    parts.onMinute(data, observation.state);
    return "accepted";
  };

  const handle = async (channel: (typeof channels)[number], { topic, payload }: BrokerMessage) => {
    const agentId = parseAgentTopic(fleetName, topic)?.agentId;
    if (agentId === undefined) return refuse("unknown", topic, "not a topic of this fleet", "refused");
    const decoded = decodeMessage(schemas[channel], payload);
    if (!decoded.ok) return refuse(channel, topic, decoded.reason, "malformed");
    const message = decoded.message as AgentMessage;
    if (message.agentId !== agentId) {
      return refuse(channel, topic, `speaks for agent ${message.agentId}`, "refused");
    }
    const known = fleet.get(agentId);
    if (known === undefined && fleet.size >= limits.maxAgents) {
      return refuse(channel, topic, `more than ${limits.maxAgents} agents`, "refused");
    }
    const before = known ?? unknownAgent(agentId, nowMs());
    if ("seq" in message) {
      const fault = implausibleMinute(message);
      if (fault !== null) return refuse(channel, topic, fault, "refused");
      return parts.onMessage(channel, await takeMinute(message, before));
    }
    if ("state" in message) {
      log.info({ agentId, command: message.id, state: message.state, reason: message.reason }, "command result");
      fleet.put({ ...before, lastHeardMs: nowMs() });
      return parts.onMessage(channel, "accepted");
    }
    const observation = observe(before, believable(message), nowMs());
    if (observation === null) return parts.onMessage(channel, "stale");
    await apply(known, observation, true);
    parts.onMessage(channel, "accepted");
  };

  return {
    start() {
      for (const channel of channels) {
        broker.subscribe(agentTopic(fleetName, "+", channel), (message) => handle(channel, message));
      }
    },
    async recover() {
      const now = nowMs();
      for (const record of await store.loadAgents()) {
        const bootId = record.presence?.bootId ?? record.birth?.bootId ?? null;
        const lastSeq = bootId === null ? null : await store.lastSeq(record.agentId, bootId);
        fleet.put({ ...record, bootId, reportedAtMs: null, lastSeq: lastSeq ?? 0, recent: [] });
      }
      for (const { minuteStartMs, texts } of await store.fleetMinutes(now - weekMs, now)) {
        fleet.traffic.add(minuteStartMs, texts);
      }
    },
  };
}

const schemas = { presence: Presence, birth: Birth, data: MinuteData, reported: Reported, "cmd-result": CommandResult };
type AgentMessage = Presence | Birth | MinuteData | Reported | CommandResult;

function observe(before: AgentState, message: Presence | Birth | Reported, nowMs: number): Observation | null {
  if ("status" in message) return observePresence(before, message, nowMs);
  if ("board" in message) return observeBirth(before, message, nowMs);
  return observeReported(before, message, nowMs);
}
