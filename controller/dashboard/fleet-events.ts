import { agentConditions } from "./agent-facts.ts";
import { rowFields } from "./agent-row.ts";
import type { FleetChanges } from "./fleet-watch.ts";

/**
 * Wire form of the live fleet: server-sent events, whose data is JSON on one line.
 *
 * - `snapshot`: forget all that was known. `{nowMs, run, fields, conditions, agents}`: names of a row's values, of its `condition`, and how many
 *   agents will come. `change` events follow with everything there is.
 * - `change`: `{nowMs, view?, figures?, rows?, gone?}`. `view` has parts of `GET /api/v1/fleet` that changed and `figures` figures that did, each
 *   to replace the one of its name; `rows` has agents that came or changed, each an array as `fields` says; `gone` the ids of agents that are no
 *   more. A large change comes in pieces, of which the last has the event's id.
 * - `reset`: `{reason}`: the id that the client named says nothing here; a `snapshot` follows.
 * - `end`: `{reason, again}`: the server ends the stream. `again` false: the client's right to it has ended.
 *
 * Ids are `RUN-NUMBER`; `Last-Event-ID`, or `?after=` for the first connection, asks for what came after.
 */
export interface EventHead {
  readonly nowMs: number;
  readonly run: string;
}

/** Rows of a piece: about 32 kB. */
const rowsPerPiece = 500;

const eventText = (name: string, data: string, id?: string) =>
  `event: ${name}\n${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;

export const retryText = "retry: 2000\n\n";
export const heartbeatText = ": still here\n\n";

export function snapshotText({ nowMs, run }: EventHead, agents: number): string {
  return eventText("snapshot", JSON.stringify({ nowMs, run, fields: rowFields, conditions: agentConditions, agents }));
}

export function resetText(reason: string): string {
  return eventText("reset", JSON.stringify({ reason }));
}

export function endText(reason: string, again: boolean): string {
  return eventText("end", JSON.stringify({ reason, again }));
}

const objectText = (members: readonly (readonly [string, string])[]) =>
  `{${members.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;

/** Writes what changed, in pieces. */
export function* changeTexts({ nowMs, run }: EventHead, event: number, changes: FleetChanges): Generator<string> {
  const { rows, gone, figures, sections } = changes;
  for (let at = 0; at === 0 || at < rows.length; at += rowsPerPiece) {
    const isFirst = at === 0;
    const piece = rows.slice(at, at + rowsPerPiece);
    const members: [string, string][] = [["nowMs", String(nowMs)]];
    if (isFirst && sections.length > 0) members.push(["view", objectText(sections)]);
    if (isFirst && figures.length > 0) members.push(["figures", objectText(figures)]);
    if (piece.length > 0) members.push(["rows", `[${piece.join(",")}]`]);
    if (isFirst && gone.length > 0) members.push(["gone", JSON.stringify(gone)]);
    const isLast = at + rowsPerPiece >= rows.length;
    yield eventText("change", objectText(members), isLast ? eventId(run, event) : undefined);
  }
}

export const eventId = (run: string, event: number) => `${run}-${event}`;

/** Form of an event's id. */
export const eventIdPattern = "^[0-9a-f]{8}-[0-9]{1,12}$";

/** Number of an event of this run; null for one of another run, or what is no id. */
export function eventOfRun(id: string, run: string): number | null {
  return new RegExp(eventIdPattern).test(id) && id.startsWith(`${run}-`) ? Number(id.slice(run.length + 1)) : null;
}
