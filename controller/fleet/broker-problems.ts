import { minuteMs } from "#platform/time.ts";
import { refusalToText } from "#protocol/mqtt/broker-refusals.ts";
import type { AgentState } from "./agent-state.ts";
import { clockSkewMs } from "./clock-skew.ts";

/** Sentences about what the broker does not let an agent do, as its present run reports. */
export function refusalsOf({ reported, bootId }: AgentState): string[] {
  return reported?.bootId === bootId ? (reported?.brokerRefuses ?? []).map(refusalToText) : [];
}

/** Sentence about an order that a device has not obeyed within the hour, as its present run reports; null: none. */
export function refusedOrderOf({ reported, bootId }: AgentState): string | null {
  const refused = reported?.bootId === bootId ? reported?.orderRefused : undefined;
  if (refused === undefined) return null;
  const at = new Date(refused.atMs).toISOString();
  return `it rejected an order (${refused.rule}), most recently ${at}: someone else is publishing through the broker, or its clock is wrong`;
}

/** Time after which an agent that is online and sends no record has trouble with the broker. */
const silentRecordsMs = 3 * minuteMs;

/** Sentences about what the broker does not let an agent do: as it reports, or else as its missing records show. */
export function brokerProblemsOf(agent: AgentState, online: boolean, nowMs: number): string[] {
  const { presence, recent } = agent;
  const order = refusedOrderOf(agent);
  const told = order === null ? refusalsOf(agent) : [...refusalsOf(agent), order];
  if (told.length > 0 || !online || presence === null || presence.asleep !== undefined) return told;
  const newest = recent.at(-1);
  const byAgentMs = Math.max(presence.sentAtMs, newest === undefined ? 0 : newest.traffic.minuteStartMs + minuteMs);
  const sinceMs = byAgentMs - clockSkewMs(agent);
  if (nowMs - sinceMs <= silentRecordsMs) return told;
  const minutes = Math.floor((nowMs - sinceMs) / minuteMs);
  return [
    `online, but no live record for ${minutes} min: check that it may publish data at the broker, and that its clock is right`,
  ];
}
