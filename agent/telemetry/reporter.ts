import type { Static, TSchema } from "@sinclair/typebox";
import { anyOrders, type FleetOrders } from "#agent/enrolment/fleet-orders.ts";
import { type FollowLimits, PeerFollower } from "#agent/mesh/peer-follower.ts";
import { describeError } from "#platform/errors.ts";
import { type CountedLog, createCountedLog, type Logger } from "#platform/log.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import type { Broker, BrokerMessage } from "#protocol/broker.ts";
import { decodeMessage, encodeFitted } from "#protocol/codec.ts";
import {
  Ack,
  type Birth,
  type Command,
  CommandResult,
  ControllerState,
  type Desired,
  FleetAccess,
  Presence,
  type Reported,
} from "#protocol/messages.ts";
import {
  type AgentChannel,
  agentChannels,
  agentTopic,
  controllerAccessTopic,
  controllerStateTopic,
  parseAgentTopic,
} from "#protocol/topics.ts";

/** Messages of this agent, made anew whenever they are published. */
export interface Reportable {
  presence(): Presence;
  birth(): Birth;
  reported(): Reported;
}

/** Receives the fleet's messages for this agent. */
export interface FleetListener {
  onPeerPresence(presence: Presence): void;
  /** Receives documents for other agents; without it they are not subscribed to. */
  onPeerDesired?(desired: Desired): void;
  /** A peer's retained presence was deleted: it has left the fleet. */
  onPeerForgotten(agentId: string): void;
  onControllerState(state: ControllerState): void;
  /** Receives the fleet's tenants and keys; without it they are not subscribed to. */
  onAccess?(access: FleetAccess): void;
  onDesired(desired: Desired): void;
  /** Receives what the controller has stored of this agent's records. */
  onAck(ack: Ack): void;
  /** Runs a command that is not the reporter's own. Resolves with the result as text. */
  onCommand(command: Command): Promise<string>;
  /** Called after a connection, when presence, birth and reported are published. */
  onConnected(): void;
}

const rememberedCommands = 100;
/** Maximum lifetime of a command, and maximum lead of its time over this device's clock. */
const maxCommandMs = hourMs;
/** Maximum hold of a power mode; an operator's override lasts up to 30 days. */
const maxHoldMs = 31 * dayMs;

export interface ReporterParts {
  readonly broker: Broker;
  readonly identity: { readonly fleet: string; readonly agentId: string; readonly bootId: string };
  readonly reportable: Reportable;
  readonly listener: FleetListener;
  readonly followLimits?: FollowLimits;
  /** Check of the controller's messages. Default: none, as on a device that has not joined a fleet. */
  readonly orders?: FleetOrders;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Publishes the agent's presence, birth, reported state and answers to commands over MQTT, and receives the fleet's messages. */
export class Reporter {
  readonly #parts: ReporterParts;
  readonly #counted: CountedLog;
  readonly #peers: PeerFollower;
  readonly #orders: FleetOrders;
  /** Answers to the newest commands, by the command's id. */
  readonly #results = new Map<string, CommandResult>();
  #refusedMessages = 0;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    const { broker, identity, listener, followLimits } = parts;
    this.#peers = new PeerFollower({
      ...{ broker, identity },
      onPresence: (message, agentId) => this.#onPeerPresence(message, agentId),
      onDesired: listener.onPeerDesired === undefined ? null : (message) => this.#onPeerDesired(message),
      onForgotten: (agentId) => listener.onPeerForgotten(agentId),
      onRefused: (topic, reason) => this.#refuse(topic, reason),
      ...(followLimits === undefined ? {} : { limits: followLimits }),
    });
    this.#orders = parts.orders ?? anyOrders;
    this.#counted = createCountedLog(parts.log, Date.now);
  }

  /** Number of unreadable messages since the start. */
  get refusedMessages(): number {
    return this.#refusedMessages;
  }

  /** Ends what waits. */
  stop(): void {
    this.#peers.stop();
  }

  /** Subscribes and, on every connection from now on, publishes presence, birth and reported. */
  start(): void {
    const { broker, listener, identity } = this.#parts;
    const { fleet, agentId } = identity;
    for (const channel of ["desired", "cmd"] as const) {
      broker.subscribe(agentTopic(fleet, agentId, channel), ({ topic, payload, retained }) => {
        // A retained command would be delivered again on every connection.
        if (channel === "cmd" && retained) return this.#refuse(topic, "a command must not be retained");
        // A deleted document: the held one stays in force.
        if (payload.byteLength === 0) return;
        this.#onOwnTopic(channel, topic, payload);
      });
    }
    // What comes back on its own topic shows that the subscriptions work.
    broker.subscribe(agentTopic(fleet, agentId, "presence"), () => undefined);
    this.#peers.start();
    broker.subscribe(agentTopic(fleet, agentId, "ack"), ({ topic, payload }) => {
      const decoded = decodeMessage(Ack, payload);
      if (!decoded.ok) return this.#refuse(topic, decoded.reason);
      if (decoded.message.agentId !== agentId) return this.#refuse(topic, `is for agent ${decoded.message.agentId}`);
      listener.onAck(decoded.message);
    });
    broker.subscribe(controllerStateTopic(fleet), ({ topic, payload }) => {
      const decoded = decodeMessage(ControllerState, payload);
      if (!decoded.ok) return this.#refuse(topic, decoded.reason);
      listener.onControllerState(decoded.message);
    });
    if (listener.onAccess !== undefined)
      broker.subscribe(controllerAccessTopic(fleet), ({ topic, payload }) => {
        const decoded = decodeMessage(FleetAccess, payload);
        if (!decoded.ok) return this.#refuse(topic, decoded.reason);
        const rule = this.#orders.take("access", decoded.message, payload);
        const refusal = this.#orders.explain(rule, decoded.message);
        if (refusal !== null) return this.#refuse(topic, refusal);
        listener.onAccess?.(decoded.message);
      });
    broker.onConnection(async (connected) => {
      if (!connected) return;
      await this.#publishAll();
      listener.onConnected();
    });
  }

  #onPeerPresence({ topic, payload }: BrokerMessage, named: string): void {
    const { listener } = this.#parts;
    if (payload.byteLength === 0) {
      listener.onPeerForgotten(named);
      return;
    }
    const decoded = decodeMessage(Presence, payload);
    if (!decoded.ok) this.#refuse(topic, decoded.reason);
    else if (named !== decoded.message.agentId) this.#refuse(topic, "names another agent");
    else listener.onPeerPresence(decoded.message);
  }

  #onPeerDesired({ topic, payload }: BrokerMessage): void {
    const { listener, identity } = this.#parts;
    const decoded = decodeMessage(agentChannels.desired.schema, payload);
    // Its own documents are checked elsewhere, those of others by their agents.
    if (!decoded.ok || decoded.message.agentId === identity.agentId) return;
    if (parseAgentTopic(identity.fleet, topic)?.agentId !== decoded.message.agentId) return;
    if (this.#orders.isGenuine("desired", payload)) listener.onPeerDesired?.(decoded.message);
  }

  publishPresence(): Promise<void> {
    return this.#publish("presence", this.#encode(Presence, this.#parts.reportable.presence()));
  }

  publishBirth(): Promise<void> {
    return this.#publish("birth", this.#encode(agentChannels.birth.schema, this.#parts.reportable.birth()));
  }

  publishReported(): Promise<void> {
    return this.#publish("reported", this.#encode(agentChannels.reported.schema, this.#parts.reportable.reported()));
  }

  /** Publishes the end of the agent's presence before it disconnects: the will is not sent then. */
  publishDisconnect(presence: Presence): Promise<void> {
    return this.#publish("presence", this.#encode(Presence, presence));
  }

  async #publishAll(): Promise<void> {
    await this.publishPresence();
    await this.publishBirth();
    await this.publishReported();
  }

  async #publish(channel: AgentChannel, payload: string): Promise<void> {
    const { broker, identity, log } = this.#parts;
    const topic = agentTopic(identity.fleet, identity.agentId, channel);
    try {
      await broker.publish(topic, payload, { retain: agentChannels[channel].retain });
    } catch (error) {
      // The next connection publishes it all again.
      log.debug({ channel, err: describeError(error) }, "not published");
    }
  }

  /** Encodes a message; values from a board or an operator may exceed its bounds. */
  #encode<T extends TSchema>(schema: T, message: Static<T>): string {
    return encodeFitted(schema, message, (reason) =>
      this.#counted.note("a message of this agent was clamped to its bounds", { reason }),
    );
  }

  #refuse(topic: string, reason: string): void {
    this.#refusedMessages += 1;
    this.#counted.note("a message was refused", { topic, reason });
  }

  #onOwnTopic(channel: "desired" | "cmd", topic: string, payload: Uint8Array) {
    const decoded = decodeMessage(agentChannels[channel].schema, payload);
    if (!decoded.ok) return this.#refuse(topic, decoded.reason);
    if (decoded.message.agentId !== this.#parts.identity.agentId)
      return this.#refuse(topic, `is for agent ${decoded.message.agentId}`);
    const { message } = decoded;
    const rule = this.#orders.take(channel, message, payload);
    const refusal = this.#orders.explain(rule, message);
    if (refusal !== null) return this.#refuse(topic, refusal);
    // One that came before this start was obeyed then; what was answered since is answered again.
    if (rule === "repeated" && !("kind" in message && this.#results.has(message.id))) return;
    if ("kind" in message) {
      // Not awaited: answering publishes, and a handler must not wait for a publish.
      void this.#runCommand(message);
      return;
    }
    const { issuedAtMs, powerModeUntilMs, powerModeCapUntilMs } = message;
    const untilMs = Math.max(powerModeUntilMs ?? 0, powerModeCapUntilMs ?? 0);
    if (untilMs - issuedAtMs > maxHoldMs) return this.#refuse(topic, "holds a power mode for more than 31 days");
    this.#parts.listener.onDesired(message);
  }

  async #runCommand(command: Command): Promise<void> {
    const known = this.#results.get(command.id);
    if (known !== undefined) return this.#publish("cmd-result", this.#encode(CommandResult, known));
    const { issuedAtMs, expiresAtMs } = command;
    const nowMs = this.#parts.nowMs();
    if (nowMs > expiresAtMs) return this.#answer(command, "expired", "it arrived after it had expired");
    if (expiresAtMs - issuedAtMs > maxCommandMs || issuedAtMs > nowMs + maxCommandMs)
      return this.#answer(
        command,
        "failed",
        "expiresAtMs: expected within an hour of issuedAtMs, and issuedAtMs within an hour of this device's clock",
      );
    await this.#answer(command, "received", "");
    try {
      if (command.kind === "rebirth") {
        await this.#publishAll();
        return await this.#answer(command, "succeeded", "published presence, birth and reported");
      }
      await this.#answer(command, "running", "");
      return await this.#answer(command, "succeeded", await this.#parts.listener.onCommand(command));
    } catch (error) {
      return await this.#answer(command, "failed", describeError(error));
    }
  }

  async #answer(command: Command, state: CommandResult["state"], reason: string): Promise<void> {
    const { identity, nowMs } = this.#parts;
    const result: CommandResult = {
      v: 1,
      agentId: identity.agentId,
      bootId: identity.bootId,
      sentAtMs: Math.round(nowMs()),
      id: command.id,
      state,
      reason: reason.slice(0, 512),
    };
    this.#results.set(command.id, result);
    if (this.#results.size > rememberedCommands) this.#results.delete(this.#results.keys().next().value as string);
    await this.#publish("cmd-result", this.#encode(CommandResult, result));
  }
}
