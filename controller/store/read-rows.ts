import type { TSchema } from "@sinclair/typebox";
import { Identifier, TimeMs } from "#protocol/bounds.ts";
import { Birth, Desired, Presence, Reported } from "#protocol/messages.ts";
import { DecisionRecord } from "./decision-record.ts";
import { columnValue, type RowQuarantine } from "./row-quarantine.ts";
import { DeviceRow, MinuteRow } from "./row-schemas.ts";
import type { AgentRecord, Device, MinuteRecord } from "./store.ts";

/** Rows as every adapter of the store has them, and the values that they hold; null for a row that can't be read. */

export interface AgentColumns {
  readonly agentId: string;
  readonly presence: string | null;
  readonly birth: string | null;
  readonly reported: string | null;
  readonly lastHeardMs: number;
}

/** Last message of an agent from its column; null if it can't be read (the agent soon sends another). */
function messageOf<T extends TSchema & { readonly static: { readonly agentId: string } }>(
  quarantine: RowQuarantine,
  agentId: string,
  column: string,
  schema: T,
  json: string | null,
): T["static"] | null {
  if (json === null) return null;
  const key = `${agentId}.${column}`;
  const message = quarantine.decode("agent", key, schema, columnValue(json));
  if (message === null || message.agentId === agentId) return message;
  quarantine.note("agent", key, "agentId: differs from that of its row");
  return null;
}

export function readAgent(row: AgentColumns, quarantine: RowQuarantine): AgentRecord | null {
  const agentId = quarantine.decode("agent", `${row.agentId}.agent_id`, Identifier, row.agentId);
  if (agentId === null) return null;
  const heard = quarantine.decode("agent", `${agentId}.last_heard_ms`, TimeMs, row.lastHeardMs);
  return {
    agentId,
    presence: messageOf(quarantine, agentId, "presence", Presence, row.presence),
    birth: messageOf(quarantine, agentId, "birth", Birth, row.birth),
    reported: messageOf(quarantine, agentId, "reported", Reported, row.reported),
    lastHeardMs: heard ?? 0,
  };
}

export interface DocumentColumns {
  readonly agentId: string;
  readonly document: string;
}

/** Document of an agent, with the agent's id in it as well. */
function readDocument<T extends TSchema & { readonly static: { readonly agentId: string } }>(
  table: string,
  schema: T,
  { agentId, document }: DocumentColumns,
  quarantine: RowQuarantine,
): T["static"] | null {
  const value = quarantine.decode(table, agentId, schema, columnValue(document));
  if (value === null || value.agentId === agentId) return value;
  quarantine.note(table, agentId, "agentId: differs from that of its row");
  return null;
}

export function readDesired(row: DocumentColumns, quarantine: RowQuarantine): Desired | null {
  return readDocument("desired", Desired, row, quarantine);
}

export function readDevice(row: DocumentColumns, quarantine: RowQuarantine): Device | null {
  return readDocument("device", DeviceRow, row, quarantine);
}

type JsonColumn = "agents" | "inputs" | "outcome";
export type DecisionColumns = Omit<DecisionRecord, JsonColumn> & Readonly<Record<JsonColumn, string>>;

export function readDecision(row: DecisionColumns, quarantine: RowQuarantine): DecisionRecord | null {
  return quarantine.decode("decision", String(row.id), DecisionRecord, {
    ...row,
    agents: columnValue(row.agents),
    inputs: columnValue(row.inputs),
    outcome: columnValue(row.outcome),
  });
}

export interface MinuteColumns {
  readonly agentId: string;
  readonly bootId: string;
  readonly seq: number;
  readonly minuteStartMs: number;
  readonly historical: boolean;
  readonly role: string;
  readonly traffic: string;
  readonly power: string | null;
  readonly forecast: string | null;
}

export function readMinute({ minuteStartMs, ...row }: MinuteColumns, quarantine: RowQuarantine): MinuteRecord | null {
  const key = `${row.agentId}/${row.bootId}/${row.seq}`;
  const record = quarantine.decode("minute", key, MinuteRow, {
    ...row,
    traffic: columnValue(row.traffic),
    power: columnValue(row.power),
    forecast: columnValue(row.forecast),
  });
  if (record === null || record.traffic.minuteStartMs === minuteStartMs) return record;
  quarantine.note("minute", key, "minute_start_ms: differs from that of its traffic");
  return null;
}
