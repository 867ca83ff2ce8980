import { Birth, Command, CommandResult, Desired, MinuteData, Presence, Reported } from "./messages.ts";

/** How each kind of message travels. QoS 1 throughout: losing one would need a repair that costs more than the acknowledgement. */
export const agentChannels = {
  presence: { schema: Presence, retain: true },
  birth: { schema: Birth, retain: false },
  data: { schema: MinuteData, retain: false },
  desired: { schema: Desired, retain: true },
  reported: { schema: Reported, retain: true },
  cmd: { schema: Command, retain: false },
  "cmd-result": { schema: CommandResult, retain: false },
} as const;

export type AgentChannel = keyof typeof agentChannels;

/** `agentId` may be "+" to subscribe to a channel of every agent. */
export function agentTopic(fleet: string, agentId: string, channel: AgentChannel): string {
  return `thormesh/v1/${fleet}/agents/${agentId}/${channel}`;
}

export function controllerStateTopic(fleet: string): string {
  return `thormesh/v1/${fleet}/controller/state`;
}

/** Where a controller that wants to begin asks whether another one is there; it answers with its state. */
export function controllerProbeTopic(fleet: string): string {
  return `thormesh/v1/${fleet}/controller/probe`;
}

/** Topic on which `thormesh doctor` publishes a test message as an agent and waits for it. */
export function agentProbeTopic(fleet: string, agentId: string): string {
  return `thormesh/v1/${fleet}/agents/${agentId}/probe`;
}

/** The agent and channel that a topic names, or null when it is not an agent's topic of this fleet. */
export function parseAgentTopic(fleet: string, topic: string): { agentId: string; channel: AgentChannel } | null {
  const parts = topic.split("/");
  const [root, version, topicFleet, agents, agentId, channel] = parts;
  if (parts.length !== 6 || root !== "thormesh" || version !== "v1" || topicFleet !== fleet || agents !== "agents")
    return null;
  if (agentId === undefined || agentId === "" || channel === undefined || !Object.hasOwn(agentChannels, channel))
    return null;
  return { agentId, channel: channel as AgentChannel };
}
