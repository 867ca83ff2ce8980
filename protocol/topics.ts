import { Ack, Beat, Birth, Command, CommandResult, Desired, MinuteData, Presence, Reported } from "./messages.ts";

/** Schema and retention of each kind of message. All but beats travel at QoS 1: repairing a loss would cost more than the acknowledgement. */
export const agentChannels = {
  presence: { schema: Presence, retain: true },
  birth: { schema: Birth, retain: false },
  data: { schema: MinuteData, retain: false },
  beat: { schema: Beat, retain: false },
  desired: { schema: Desired, retain: true },
  reported: { schema: Reported, retain: true },
  cmd: { schema: Command, retain: false },
  "cmd-result": { schema: CommandResult, retain: false },
  ack: { schema: Ack, retain: false },
} as const;

export type AgentChannel = keyof typeof agentChannels;

/** Topic of an agent's channel; `agentId` may be "+" to subscribe to that of every agent. */
export function agentTopic(fleet: string, agentId: string, channel: AgentChannel): string {
  return `thormesh/v1/${fleet}/agents/${agentId}/${channel}`;
}

export function controllerStateTopic(fleet: string): string {
  return `thormesh/v1/${fleet}/controller/state`;
}

/** Topic of the list of agents that others follow. */
export function controllerPeersTopic(fleet: string): string {
  return `thormesh/v1/${fleet}/controller/peers`;
}

/** Topic of the fleet's tenants and their keys. */
export function controllerAccessTopic(fleet: string): string {
  return `thormesh/v1/${fleet}/controller/access`;
}

/** Topic on which a controller that starts probes for another one, which answers with its state. */
export function controllerProbeTopic(fleet: string): string {
  return `thormesh/v1/${fleet}/controller/probe`;
}

/** Topic on which `thormesh doctor` publishes a test message as an agent and waits for it. */
export function agentProbeTopic(fleet: string, agentId: string): string {
  return `thormesh/v1/${fleet}/agents/${agentId}/probe`;
}

/** Parses an agent's topic of this fleet; null for other topics. */
export function parseAgentTopic(fleet: string, topic: string): { agentId: string; channel: AgentChannel } | null {
  const parts = topic.split("/");
  const [root, version, topicFleet, agents, agentId, channel] = parts;
  if (parts.length !== 6 || root !== "thormesh" || version !== "v1" || topicFleet !== fleet || agents !== "agents")
    return null;
  if (agentId === undefined || agentId === "" || channel === undefined || !Object.hasOwn(agentChannels, channel))
    return null;
  return { agentId, channel: channel as AgentChannel };
}

/**
 * Returns true when a topic matches a subscription filter with its wildcards `+` (one level) and `#` (all that follows, at the end only). It is
 * asked several times for every message, so it walks both texts and makes none.
 */
export function matchesFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  let at = 0;
  let topicAt = 0;
  for (;;) {
    const end = endOfLevel(filter, at);
    const length = end - at;
    if (length === 1 && filter.charCodeAt(at) === hash) return true;
    if (topicAt > topic.length) return false;
    const topicEnd = endOfLevel(topic, topicAt);
    const isAny = length === 1 && filter.charCodeAt(at) === plus;
    if (!isAny && (topicEnd - topicAt !== length || !isSameLevel(filter, at, topic, topicAt, length))) return false;
    at = end + 1;
    topicAt = topicEnd + 1;
    if (at > filter.length) return topicAt > topic.length;
  }
}

const hash = "#".charCodeAt(0);
const plus = "+".charCodeAt(0);

function isSameLevel(filter: string, at: number, topic: string, topicAt: number, length: number): boolean {
  for (let index = 0; index < length; index += 1)
    if (filter.charCodeAt(at + index) !== topic.charCodeAt(topicAt + index)) return false;
  return true;
}

function endOfLevel(text: string, start: number): number {
  const slash = text.indexOf("/", start);
  return slash < 0 ? text.length : slash;
}
