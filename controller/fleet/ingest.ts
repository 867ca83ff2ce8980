import { describeError } from "#platform/errors.ts";
import { type CountedLog, createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker, BrokerMessage } from "#protocol/broker.ts";
import { cleanText } from "#protocol/clean-text.ts";
import { decodeMessage } from "#protocol/codec.ts";
import type { Beat, Birth, CommandResult, MinuteData, Presence, Reported } from "#protocol/messages.ts";
import { type AgentChannel, agentChannels, agentTopic, parseAgentTopic } from "#protocol/topics.ts";
import type { OrderSeals } from "../identity/order-seals.ts";
import { type NameOf, renameTenants } from "../privacy/rename-tenant.ts";
import type { AgentRecord, AgentStore, MinuteStore, SetAsideStore } from "../store/store.ts";
import { AgentLanes } from "./agent-lanes.ts";
import { type AgentState, observeBirth, observePresence, observeReported, unknownAgent } from "./agent-state.ts";
import { observeBeat } from "./beats.ts";
import { implausibleBeat, withPlausibleCapacity } from "./check-plausible.ts";
import { MinuteIntake, type MinuteIntakeParts, type MinuteOutcome } from "./minute-intake.ts";
import { RebirthRequests } from "./rebirth-requests.ts";
import { RecordAcks } from "./record-acks.ts";
import { recordNameOf } from "./record-name.ts";
import type { SenderPaces } from "./sender-paces.ts";
import { TrafficRecovery } from "./traffic/recover-traffic.ts";

export type IngestOutcome =
  | MinuteOutcome
  | "stale"
  | "malformed"
  | "refused"
  /** A minute that can't be stored: not acknowledged, so it comes again. */
  | "failed";

export interface IngestParts extends Omit<MinuteIntakeParts, "minutesKeptMs" | "counted" | "onRebirth"> {
  readonly fleetName: string;
  readonly store: AgentStore & MinuteStore & SetAsideStore;
  readonly broker: Broker;
  /** Region that a device's certificate names; null: none. Default: no device has one. */
  readonly certifiedRegion?: (agentId: string) => string | null;
  /** Signs commands. Default: nothing does. */
  readonly seals?: OrderSeals;
  /** Messages of different agents that are handled at once. Default: one, acknowledged to the broker when it is stored. */
  readonly messagesAtOnce?: number;
  /** Rates of the agents. Default: the broker has limits of its own. */
  readonly paces?: SenderPaces;
  readonly limits: { readonly rebirthIntervalMs: number; readonly maxAgents: number; readonly minutesKeptMs: number };
  /** Name for a tenant of a record: the pseudonym of an erased one. Default: none is erased. */
  readonly nameOf?: NameOf;
  /** Retires an agent that a new one can replace; false when there is none. */
  readonly retireOne: () => Promise<boolean>;
  readonly log: Logger;
  /** Called for every message, for the metrics. */
  readonly onMessage: (channel: AgentChannel | "unknown", outcome: IngestOutcome) => void;
  /** Called with the agent of each beat that was taken in. */
  readonly onBeat: (agent: AgentState) => void;
  /** Called when an agent comes, goes, or describes itself anew. */
  readonly onAgentChanged: (before: AgentState | undefined, after: AgentState) => void;
}

/** Maximum log lines a second about command results: draining a fleet makes a few of each agent. */
const maxResultLinesPerS = 50;
const channels = ["presence", "birth", "data", "beat", "reported", "cmd-result"] as const;
const restoredAtOnce = 200;

type AgentMessage = Presence | Birth | MinuteData | Beat | Reported | CommandResult;

/** True when nothing that an agent has said of itself has changed. */
const saysTheSame = (before: AgentState, after: AgentState): boolean =>
  Bun.deepEquals(before.presence, after.presence) &&
  Bun.deepEquals(before.birth, after.birth) &&
  Bun.deepEquals(before.reported, after.reported);

function observe(before: AgentState, message: Presence | Birth | Reported, nowMs: number): AgentState | null {
  if ("status" in message) return observePresence(before, message, nowMs);
  if ("board" in message) return observeBirth(before, message, nowMs);
  return observeReported(before, message, nowMs);
}

/** Takes in what agents publish. A minute's record is acknowledged once it is stored; malformed messages are counted, never fatal. */
export class Ingest {
  readonly #parts: IngestParts;
  readonly #counted: CountedLog;
  readonly #minutes: MinuteIntake;
  readonly #rebirths: RebirthRequests;
  readonly #acks: RecordAcks;
  readonly #lanes: AgentLanes | null;
  readonly #traffic: TrafficRecovery;
  #second = 0;
  #resultsInSecond = 0;

  constructor(parts: IngestParts) {
    this.#parts = parts;
    this.#counted = createCountedLog(parts.log, Date.now);
    this.#rebirths = new RebirthRequests({ ...parts, intervalMs: parts.limits.rebirthIntervalMs });
    this.#traffic = new TrafficRecovery({ ...parts, traffic: parts.fleet.traffic });
    this.#acks = new RecordAcks({ ...parts, settled: () => parts.store.settled() });
    const { messagesAtOnce = 1 } = parts;
    const failed = (error: unknown) =>
      this.#counted.note("a message could not be taken in", { err: describeError(error) });
    this.#lanes = messagesAtOnce === 1 ? null : new AgentLanes(messagesAtOnce, failed);
    this.#minutes = new MinuteIntake({
      ...parts,
      minutesKeptMs: parts.limits.minutesKeptMs,
      counted: this.#counted,
      onRebirth: (agentId, causes) => void this.#rebirths.ask(agentId, causes),
    });
  }

  /** Subscribes to the agents' topics. */
  start(): void {
    const { broker, fleetName } = this.#parts;
    for (const channel of channels)
      broker.subscribe(agentTopic(fleetName, "+", channel), (message) => this.#accept(channel, message));
  }

  /** Handles a message, or starts to: agents are told which records are stored, so the broker need not wait for that. */
  #accept(channel: (typeof channels)[number], message: BrokerMessage): Promise<void> {
    const { fleetName, fleet, paces } = this.#parts;
    const agentId = parseAgentTopic(fleetName, message.topic)?.agentId;
    if (agentId !== undefined && paces?.take(agentId, message.payload.byteLength) === false) {
      this.#refuse(channel, message.topic, "its agent sends more than it may (broker.limits)", "refused");
      return Promise.resolve();
    }
    // One after another where agents become known, as their number is bounded.
    if (this.#lanes === null || agentId === undefined || fleet.get(agentId) === undefined)
      return this.#handle(channel, message);
    return this.#lanes.run(agentId, () => this.#handle(channel, message));
  }

  /** Ends what is under way: agents send again what was not acknowledged. */
  async stop(): Promise<void> {
    this.#acks.stop();
    await this.#traffic.stop();
  }

  /** Restores what an earlier run of the controller knew. */
  async recover(): Promise<void> {
    const { fleet, store } = this.#parts;
    const restore = async (record: AgentRecord) => {
      const bootId = record.presence?.bootId ?? record.birth?.bootId ?? null;
      const lastSeq = bootId === null ? null : await store.lastSeq(record.agentId, bootId);
      fleet.put({ ...record, bootId, reportedAtMs: null, lastSeq: lastSeq ?? 0, recent: [], beats: [] });
    };
    const agents = await store.loadAgents();
    // Many at once: each asks the store, which may be a server.
    for (let at = 0; at < agents.length; at += restoredAtOnce)
      await Promise.all(agents.slice(at, at + restoredAtOnce).map(restore));
    await this.#traffic.begin();
  }

  /** Takes in minutes that were ahead of this controller's clock and no longer are, since the clock was set. */
  async reconsider(): Promise<void> {
    await this.#minutes.reconsider((outcome) => this.#parts.onMessage("data", outcome));
  }

  /** Forgets an agent that was retired. */
  forget(agentId: string): void {
    this.#rebirths.forget(agentId);
    this.#minutes.forget(agentId);
    this.#parts.counts.forget(agentId);
  }

  async #handle(channel: (typeof channels)[number], { topic, payload }: BrokerMessage): Promise<void> {
    const { fleetName, fleet, limits, counts, nowMs, onMessage } = this.#parts;
    const agentId = parseAgentTopic(fleetName, topic)?.agentId;
    if (agentId === undefined) return this.#refuse("unknown", topic, "not a topic of this fleet", "refused");
    // A retained message was removed, as by this controller when it retired the agent; or `thormesh doctor` tried if the agent may publish.
    if (payload.byteLength === 0) return onMessage(channel, "stale");
    const decoded = decodeMessage(agentChannels[channel].schema, payload);
    const message = decoded.ok ? (decoded.message as AgentMessage) : null;
    if (message?.agentId !== agentId) {
      const reason = decoded.ok
        ? `agentId: expected ${agentId} as in the topic, got ${message?.agentId}`
        : decoded.reason;
      if (channel === "data") this.#refuseRecord(agentId, payload, reason);
      return this.#refuse(channel, topic, reason, decoded.ok ? "refused" : "malformed");
    }
    const known = fleet.get(agentId);
    if ("windowMs" in message) return this.#takeBeat(message, topic, known);
    if (known === undefined && fleet.size >= limits.maxAgents && !(await this.#parts.retireOne())) {
      counts.noteNoRoom(nowMs());
      return this.#refuse(channel, topic, `more than ${limits.maxAgents} agents (ingest.maxAgents)`, "refused");
    }
    const before = known ?? unknownAgent(agentId, nowMs());
    if ("seq" in message) return this.#takeMinute(message, payload.byteLength, before);
    if ("state" in message) this.#takeResult(message, before);
    else {
      const state = observe(before, this.#plausible(message), nowMs());
      if (state === null) return onMessage(channel, "stale");
      fleet.put(state);
      // What the broker retains comes again with each connection: of ten thousand agents that is too much to write each time.
      if (known === undefined || !saysTheSame(known, state)) await this.#parts.store.saveAgent(state);
      this.#parts.onAgentChanged(known, state);
    }
    onMessage(channel, "accepted");
  }

  /** Takes in a beat. It is never stored, and makes no agent known: it says nothing that would help with an unknown one. */
  #takeBeat(beat: Beat, topic: string, before: AgentState | undefined): void {
    const { fleet, onMessage, onBeat, nowMs, usualCapacityQps: usualQps } = this.#parts;
    const now = nowMs();
    const state = before === undefined ? null : observeBeat(before, beat, now);
    const fault = state === null ? null : implausibleBeat(beat, { birth: state.birth, usualQps });
    if (state === null) onMessage("beat", "stale");
    else if (fault !== null) this.#refuse("beat", topic, fault, "refused");
    else {
      fleet.put(state);
      onMessage("beat", "accepted");
      onBeat(state);
    }
  }

  async #takeMinute(told: MinuteData, bytes: number, before: AgentState): Promise<void> {
    const { onMessage, nameOf } = this.#parts;
    const data = nameOf === undefined ? told : renameTenants(told, nameOf);
    try {
      onMessage("data", await this.#minutes.take(data, bytes, before));
      this.#acks.stored(data.agentId, data.bootId, data.seq);
    } catch (error) {
      onMessage("data", "failed");
      throw error;
    }
  }

  /** Tells the agent of a record that will never be stored, if it has a name: the agent must not send it for ever. */
  #refuseRecord(agentId: string, payload: Uint8Array, reason: string): void {
    const name = recordNameOf(payload);
    if (name !== null) this.#acks.refused(agentId, name.bootId, name.seq, reason);
  }

  #takeResult({ agentId, id: command, state, reason }: CommandResult, before: AgentState): void {
    const { fleet, log, nowMs } = this.#parts;
    const second = Math.floor(performance.now() / 1000);
    this.#resultsInSecond = second === this.#second ? this.#resultsInSecond + 1 : 1;
    this.#second = second;
    if (this.#resultsInSecond <= maxResultLinesPerS) log.info({ agentId, command, state, reason }, "command result");
    else this.#counted.note("more command results than are logged", { agentId });
    fleet.put({ ...before, lastHeardMs: nowMs() });
  }

  /** Message without implausible capacities, and with the region that the device's certificate names, whatever it claims. */
  #plausible(claimed: Presence | Birth | Reported): Presence | Birth | Reported {
    if (!("region" in claimed)) return claimed;
    const region = this.#parts.certifiedRegion?.(claimed.agentId) ?? claimed.region;
    if (region !== claimed.region)
      this.#counted.note("an agent claims a region other than the one in its certificate", {
        ...{ agentId: claimed.agentId, claimed: claimed.region, region },
      });
    const message = { ...claimed, region };
    if (!("board" in message)) return message;
    const { birth, faults } = withPlausibleCapacity(message, this.#parts.usualCapacityQps);
    if (faults.length > 0) {
      const { agentId } = message;
      const details = { agentId, faults: faults.slice(0, 3), inAll: faults.length };
      this.#counted.note("an agent's capacity is implausible", details);
    }
    return birth;
  }

  #refuse(channel: AgentChannel | "unknown", topic: string, reason: string, outcome: IngestOutcome): void {
    const { fleetName, fleet, counts, nowMs, onMessage } = this.#parts;
    onMessage(channel, outcome);
    const agentId = parseAgentTopic(fleetName, topic)?.agentId ?? null;
    counts.note(agentId !== null && fleet.get(agentId) !== undefined ? agentId : null, "refused", reason, nowMs());
    this.#counted.note(`a message was ${outcome}`, { topic: cleanText(topic).slice(0, 256), reason });
  }
}
