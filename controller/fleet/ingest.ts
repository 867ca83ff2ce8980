import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage } from "#protocol/broker.ts";
import { cleanText } from "#protocol/clean-text.ts";
import { decodeMessage, encodeMessage } from "#protocol/codec.ts";
import { Birth, Command, CommandResult, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import { type AgentChannel, agentChannels, agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import type { AgentStore, MinuteStore, SetAsideStore } from "../store/store.ts";
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
import { aheadOfClock, implausibleMinute, withPlausibleCapacity } from "./check-plausible.ts";
import type { Fleet } from "./fleet.ts";
import { createHourBudget, type HourBudget } from "./hour-budget.ts";
import type { IngestCounts } from "./ingest-counts.ts";

export type IngestOutcome =
  | "accepted"
  | "duplicate"
  | "stale"
  | "malformed"
  | "refused"
  /** A minute under a name that another one has: kept beside it. */
  | "conflict"
  /** A minute that is not believed: kept, but not as part of the record. */
  | "set-aside"
  /** A minute that can't be stored: not acknowledged, it comes again. */
  | "failed";

export interface IngestParts {
  readonly fleetName: string;
  readonly fleet: Fleet;
  readonly store: AgentStore & MinuteStore & SetAsideStore;
  readonly broker: Broker;
  readonly limits: { readonly rebirthIntervalMs: number; readonly maxAgents: number; readonly minutesKeptMs: number };
  readonly counts: IngestCounts;
  /** Tries to make room for an agent that is new; false when there is none. */
  readonly makeRoom: () => Promise<boolean>;
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

/** Lines of the log about what agents say of commands: a fleet that is drained says a few of each. */
const mostResultsPerS = 50;

export interface Ingest {
  /** Subscribes to what agents say. */
  start(): void;
  /** Takes up what an earlier run of the controller knew. */
  recover(): Promise<void>;
  /** Takes minutes in after all that were of the future, and no longer are: this controller's clock was wrong, and was set. */
  reconsider(): Promise<void>;
  /** The agent has left the fleet for good. */
  forget(agentId: string): void;
}

const channels = ["presence", "birth", "data", "reported", "cmd-result"] as const;
const weekMs = 7 * 24 * 3_600_000;
const rebirthExpiryMs = 60_000;
/** Minutes that are not believed are kept for people to look at: so many of an agent, and of all together. */
export const mostSetAside = { ofAgent: 100, inAll: 5000 } as const;

/** Takes in what agents publish. A minute's record is handled when it is stored; malformed messages are counted, never fatal. */
export function createIngest(parts: IngestParts): Ingest {
  const { fleetName, fleet, store, broker, limits, counts, nowMs, log } = parts;
  const counted = createCountedLog(log, Date.now);
  let second = 0;
  let resultsInSecond = 0;
  const mayLogResult = (): boolean => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) resultsInSecond = 0;
    second = now;
    resultsInSecond += 1;
    return resultsInSecond <= mostResultsPerS;
  };
  const budget: HourBudget = createHourBudget(store);
  let setAsideSincePrune = 0;
  const rebirthAskedMs = new Map<string, number>();

  const refuse = (channel: AgentChannel | "unknown", topic: string, reason: string, outcome: IngestOutcome) => {
    parts.onMessage(channel, outcome);
    const agentId = parseAgentTopic(fleetName, topic)?.agentId ?? null;
    counts.note(agentId !== null && fleet.get(agentId) !== undefined ? agentId : null, "refused", reason, nowMs());
    counted.note(`a message was ${outcome}`, { topic: cleanText(topic).slice(0, 256), reason });
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

  /** An introduction without figures that can't be; said, but not as often as an agent may introduce itself. */
  const believable = (message: Presence | Birth | Reported): Presence | Birth | Reported => {
    if (!("board" in message)) return message;
    const { birth, faults } = withPlausibleCapacity(message, parts.usualCapacityQps);
    if (faults.length > 0) {
      const { agentId } = message;
      counted.note("an agent's capacity is not believed", {
        agentId,
        faults: faults.slice(0, 3),
        inAll: faults.length,
      });
    }
    return birth;
  };

  const apply = async (before: AgentState | undefined, observation: Observation, keep: boolean) => {
    const { state, rebirthReason } = observation;
    fleet.put(state);
    if (keep) await store.saveAgent(state);
    if (rebirthReason !== null) void askForRebirth(state.agentId, rebirthReason);
    if (keep) parts.onAgentChanged(before, state);
  };

  /** Keeps a minute beside the record: it counts neither as traffic nor as cost, and is not lost either. */
  const setAside = async (data: MinuteData, before: AgentState, reason: string): Promise<IngestOutcome> => {
    const { agentId, bootId, seq } = data;
    const now = nowMs();
    await store.setAside(data, reason, now, mostSetAside.ofAgent);
    setAsideSincePrune += 1;
    if (setAsideSincePrune >= mostSetAside.ofAgent) {
      setAsideSincePrune = 0;
      await store.pruneSetAside(Number.NEGATIVE_INFINITY, mostSetAside.inAll);
    }
    const isNext = bootId === before.bootId && seq === before.lastSeq + 1;
    fleet.put({ ...before, lastHeardMs: now, lastSeq: isNext ? seq : before.lastSeq });
    counts.note(agentId, "setAside", reason, now);
    counted.note("an implausible minute was set aside and not counted", { agentId, bootId, seq, reason });
    return "set-aside";
  };

  const keepMinute = async (data: MinuteData, bytes: number, before: AgentState): Promise<IngestOutcome> => {
    const now = nowMs();
    const { birth } = before;
    const oldestMs = now - limits.minutesKeptMs;
    const fault = implausibleMinute(data, { birth, usualQps: parts.usualCapacityQps, nowMs: now, oldestMs });
    if (fault !== null) return setAside(data, before, fault);
    // Stored before anything else: what fails here is not acknowledged and comes again.
    const left = await budget.look(data, bytes);
    if (left.excess !== null) return setAside(data, before, left.excess);
    const kept = await store.insertMinute(data);
    if (kept === "repeat") {
      fleet.put({ ...before, lastHeardMs: now });
      return "duplicate";
    }
    if (kept === "contradicts" || kept === "kept-beside") {
      const { agentId, bootId, seq } = data;
      const reason =
        kept === "contradicts"
          ? "this minute is already on record with different figures"
          : "a different minute is on record under its name; both are kept";
      counts.note(agentId, "conflicts", reason, now);
      counted.note("two different records have one name: someone may be impersonating this agent", {
        agentId,
        bootId,
        seq,
        reason,
      });
      if (kept === "contradicts") {
        await setAside(data, before, reason);
        return "conflict";
      }
    }
    left.spend();
    fleet.traffic.add(data.traffic.minuteStartMs, textsOf(data));
    const observation = observeMinute(before, data, now);
    await apply(before, observation, false);
    parts.onMinute(data, observation.state);
    return kept === "new" ? "accepted" : "conflict";
  };

  const takeMinute = async (data: MinuteData, bytes: number, before: AgentState): Promise<IngestOutcome> => {
    try {
      const outcome = await keepMinute(data, bytes, before);
      counts.noteStored(null);
      return outcome;
    } catch (error) {
      counts.noteStored(describeError(error));
      parts.onMessage("data", "failed");
      throw error;
    }
  };

  const handle = async (channel: (typeof channels)[number], { topic, payload }: BrokerMessage) => {
    const agentId = parseAgentTopic(fleetName, topic)?.agentId;
    if (agentId === undefined) return refuse("unknown", topic, "not a topic of this fleet", "refused");
    // A retained message was taken away: this controller did so when the agent was retired.
    if (payload.byteLength === 0 && agentChannels[channel].retain) return parts.onMessage(channel, "stale");
    const decoded = decodeMessage(schemas[channel], payload);
    if (!decoded.ok) return refuse(channel, topic, decoded.reason, "malformed");
    const message = decoded.message as AgentMessage;
    if (message.agentId !== agentId) {
      return refuse(channel, topic, `speaks for agent ${message.agentId}`, "refused");
    }
    const known = fleet.get(agentId);
    if (known === undefined && fleet.size >= limits.maxAgents && !(await parts.makeRoom())) {
      counts.noteNoRoom(nowMs());
      return refuse(channel, topic, `more than ${limits.maxAgents} agents (ingest.maxAgents)`, "refused");
    }
    const before = known ?? unknownAgent(agentId, nowMs());
    if ("seq" in message) return parts.onMessage(channel, await takeMinute(message, payload.byteLength, before));
    if ("state" in message) {
      const { id: command, state, reason } = message;
      if (mayLogResult()) log.info({ agentId, command, state, reason }, "command result");
      else counted.note("more command results than are logged", { agentId });
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
    async reconsider() {
      await store.takeSetAside(aheadOfClock, nowMs() + mostAheadMs, async (data) => {
        const before = fleet.get(data.agentId);
        // Of an agent that has left since, the record alone.
        if (before === undefined) await store.insertMinute(data);
        else
          parts.onMessage("data", await takeMinute({ ...data, historical: true }, JSON.stringify(data).length, before));
      });
    },
    forget(agentId) {
      rebirthAskedMs.delete(agentId);
      budget.forget(agentId);
      counts.forget(agentId);
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
