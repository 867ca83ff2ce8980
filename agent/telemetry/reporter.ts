import type { Static, TSchema } from "@sinclair/typebox";
import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { decodeMessage, encodeFitted } from "#protocol/codec.ts";
import {
  type Birth,
  type Command,
  CommandResult,
  ControllerState,
  type Desired,
  Presence,
  type Reported,
} from "#protocol/messages.ts";
import {
  type AgentChannel,
  agentChannels,
  agentTopic,
  controllerStateTopic,
  parseAgentTopic,
} from "#protocol/topics.ts";

/** What the fleet may know of this agent, asked for whenever it is to be told. */
export interface Reportable {
  presence(): Presence;
  birth(): Birth;
  reported(): Reported;
}

/** What the fleet says to this agent. */
export interface FleetListener {
  onPeerPresence(presence: Presence): void;
  /** Documents for other agents; left out, they are not subscribed to. */
  onPeerDesired?(desired: Desired): void;
  /** A peer's retained presence was taken away: it is no longer of the fleet. */
  onPeerForgotten(agentId: string): void;
  onControllerState(state: ControllerState): void;
  onDesired(desired: Desired): void;
  /** Runs a command that is not the reporter's own; the text says what was done. */
  onCommand(command: Command): Promise<string>;
  /** After connecting, and after everything that must be said first was said. */
  onConnected(): void;
}

export interface Reporter {
  /** Subscribes and, on every connection from now on, publishes presence, birth and reported. */
  start(): void;
  publishPresence(): Promise<void>;
  publishBirth(): Promise<void>;
  publishReported(): Promise<void>;
  /** Says that the agent goes, so that nobody waits for its will. */
  publishLeave(presence: Presence): Promise<void>;
  /** Messages that could not be read, since the start. */
  readonly refusedMessages: number;
}

const rememberedCommands = 100;
/** A command expires within this time of being issued, and is not issued further ahead of this device's clock. */
const longestCommandMs = 3_600_000;
/** An operator's override holds for 30 days at most. */
const longestHoldMs = 31 * 24 * 3_600_000;

/** Speaks for the agent over MQTT: its presence, its birth, what it reports, and its answers to commands. */
export function createReporter(
  broker: Broker,
  identity: { readonly fleet: string; readonly agentId: string; readonly bootId: string },
  reportable: Reportable,
  listener: FleetListener,
  nowMs: () => number,
  log: Logger,
): Reporter {
  const { fleet, agentId, bootId } = identity;
  const counted = createCountedLog(log, Date.now);
  const results = new Map<string, CommandResult>();
  let refusedMessages = 0;

  const refuse = (topic: string, reason: string) => {
    refusedMessages += 1;
    counted.note("a message was refused", { topic, reason });
  };

  const publish = async (channel: AgentChannel, payload: string) => {
    try {
      await broker.publish(agentTopic(fleet, agentId, channel), payload, { retain: agentChannels[channel].retain });
    } catch (error) {
      // The next connection says it all again.
      log.debug({ channel, err: describeError(error) }, "not published");
    }
  };

  /** Values from a board or an operator may exceed a message's bounds. */
  const encode = <T extends TSchema>(schema: T, message: Static<T>): string =>
    encodeFitted(schema, message, (reason) =>
      counted.note("a message of this agent was clamped to its bounds", { reason }),
    );

  const publishPresence = () => publish("presence", encode(Presence, reportable.presence()));
  const publishBirth = () => publish("birth", encode(agentChannels.birth.schema, reportable.birth()));
  const publishReported = () => publish("reported", encode(agentChannels.reported.schema, reportable.reported()));

  const answer = async (command: Command, state: CommandResult["state"], reason: string) => {
    const result: CommandResult = {
      v: 1,
      agentId,
      bootId,
      sentAtMs: Math.round(nowMs()),
      id: command.id,
      state,
      reason: reason.slice(0, 512),
    };
    results.set(command.id, result);
    if (results.size > rememberedCommands) results.delete(results.keys().next().value as string);
    await publish("cmd-result", encode(CommandResult, result));
  };

  const runCommand = async (command: Command) => {
    const known = results.get(command.id);
    if (known !== undefined) return publish("cmd-result", encode(CommandResult, known));
    const { issuedAtMs, expiresAtMs } = command;
    if (nowMs() > expiresAtMs) return answer(command, "expired", "it arrived after it had expired");
    if (expiresAtMs - issuedAtMs > longestCommandMs || issuedAtMs > nowMs() + longestCommandMs)
      return answer(
        command,
        "failed",
        "expiresAtMs: expected within an hour of issuedAtMs, and issuedAtMs within an hour of this device's clock",
      );
    await answer(command, "received", "");
    try {
      if (command.kind === "rebirth") {
        await publishPresence();
        await publishBirth();
        await publishReported();
        return await answer(command, "succeeded", "born again");
      }
      await answer(command, "running", "");
      return await answer(command, "succeeded", await listener.onCommand(command));
    } catch (error) {
      return await answer(command, "failed", describeError(error));
    }
  };

  const onOwnTopic = (channel: "desired" | "cmd", topic: string, payload: Uint8Array) => {
    const decoded = decodeMessage(agentChannels[channel].schema, payload);
    if (!decoded.ok) return refuse(topic, decoded.reason);
    if (decoded.message.agentId !== agentId) return refuse(topic, `is for agent ${decoded.message.agentId}`);
    if ("kind" in decoded.message) {
      // Not awaited: answering publishes, and a handler must not wait for a publish.
      void runCommand(decoded.message);
    } else {
      const { issuedAtMs, powerModeUntilMs, powerModeCapUntilMs } = decoded.message;
      const untilMs = Math.max(powerModeUntilMs ?? 0, powerModeCapUntilMs ?? 0);
      if (untilMs - issuedAtMs > longestHoldMs) return refuse(topic, "holds a power mode for more than 31 days");
      listener.onDesired(decoded.message);
    }
  };

  return {
    start() {
      for (const channel of ["desired", "cmd"] as const) {
        broker.subscribe(agentTopic(fleet, agentId, channel), ({ topic, payload, retained }) => {
          // A broker that keeps a command would give it out again on every connection.
          if (channel === "cmd" && retained) return refuse(topic, "a command must not be retained");
          // Nothing is desired any more: what is held goes on.
          if (payload.byteLength === 0) return;
          onOwnTopic(channel, topic, payload);
        });
      }
      broker.subscribe(agentTopic(fleet, "+", "presence"), ({ topic, payload }) => {
        const named = parseAgentTopic(fleet, topic)?.agentId;
        if (payload.byteLength === 0 && named !== undefined) return listener.onPeerForgotten(named);
        const decoded = decodeMessage(Presence, payload);
        if (!decoded.ok) return refuse(topic, decoded.reason);
        if (named !== decoded.message.agentId) return refuse(topic, "names another agent");
        listener.onPeerPresence(decoded.message);
      });
      if (listener.onPeerDesired !== undefined) {
        broker.subscribe(agentTopic(fleet, "+", "desired"), ({ topic, payload }) => {
          const decoded = decodeMessage(agentChannels.desired.schema, payload);
          // What is wrong with its own documents is said elsewhere, and of other agents' they speak themselves.
          if (!decoded.ok || decoded.message.agentId === agentId) return;
          if (parseAgentTopic(fleet, topic)?.agentId === decoded.message.agentId)
            listener.onPeerDesired?.(decoded.message);
        });
      }
      broker.subscribe(controllerStateTopic(fleet), ({ topic, payload }) => {
        const decoded = decodeMessage(ControllerState, payload);
        if (!decoded.ok) return refuse(topic, decoded.reason);
        listener.onControllerState(decoded.message);
      });
      broker.onConnection(async (connected) => {
        if (!connected) return;
        await publishPresence();
        await publishBirth();
        await publishReported();
        listener.onConnected();
      });
    },
    publishPresence,
    publishBirth,
    publishReported,
    publishLeave: (presence) => publish("presence", encode(Presence, presence)),
    get refusedMessages() {
      return refusedMessages;
    },
  };
}
