import type { AgentView, FleetView } from "#controller/api/schemas.ts";
import { cleanText } from "#platform/clean-text.ts";
import { formatDuration, formatNumber, formatWatts, quantityText, unknown } from "#platform/page/format.ts";
import { noteOf } from "./agent-lines.ts";
import { cleanLine, fleetLines, type Line, type Span, type Tone } from "./fleet-lines.ts";

/** State of a watched fleet. */
export interface WatchedState {
  /** Newest that the controller said; null: nothing yet. */
  readonly view: FleetView | null;
  readonly agents: readonly AgentView[];
  /** Number of agents that meet the filter. */
  readonly matching: number;
  /** Failure of the newest question; null: it was answered. */
  readonly absent: { readonly sinceMs: number; readonly reason: string } | null;
  /** By the clock of this machine. */
  readonly nowMs: number;
  /** Time of the newest answer by the same clock; null: none yet. */
  readonly answeredAtMs: number | null;
  readonly filter: string;
}

const toneOf: Readonly<Record<AgentView["condition"], Tone>> = {
  serving: "good",
  standby: "title",
  draining: "warning",
  offline: "bad",
};

const columns = [
  { title: "AGENT", width: 22 },
  { title: "STATE", width: 8 },
  { title: "TEXTS/S", width: 8, isNumber: true },
  { title: "P95", width: 8, isNumber: true },
  { title: "POWER", width: 8, isNumber: true },
  { title: "MODE", width: 8 },
  { title: "NOTE", width: Number.POSITIVE_INFINITY },
] as const;

const cut = (text: string, width: number) =>
  [...text].length > width ? `${[...text].slice(0, width - 1).join("")}…` : text;

function cell(text: string, column: (typeof columns)[number]): string {
  if (column.width === Number.POSITIVE_INFINITY) return text;
  const short = cut(text, column.width);
  const space = " ".repeat(column.width - [...short].length);
  return "isNumber" in column ? `${space}${short}  ` : `${short}${space}  `;
}

/** Controllers of earlier versions send the status only. */
const conditionOf = ({ condition, status }: AgentView): AgentView["condition"] =>
  condition ?? (status === "offline" ? "offline" : "serving");

function agentLine(agent: AgentView): Line {
  const texts = [
    cleanText(agent.agentId, 64),
    conditionOf(agent),
    formatNumber(agent.qps),
    agent.p95LatencyMs === null ? unknown : quantityText(formatDuration(agent.p95LatencyMs)),
    agent.watts === null ? unknown : quantityText(formatWatts(agent.watts)),
    cleanText(agent.powerMode.reported ?? unknown, 64),
    cleanText(noteOf(agent), 256),
  ];
  return texts.map((text, index): Span => {
    const column = columns[index] as (typeof columns)[number];
    const tone =
      column.title === "STATE" ? toneOf[conditionOf(agent)] : conditionOf(agent) === "offline" ? "faint" : undefined;
    return tone === undefined ? { text: cell(text, column) } : { text: cell(text, column), tone };
  });
}

function agentLines({ agents, matching, filter }: WatchedState, room: number): Line[] {
  if (agents.length === 0)
    return [[{ text: filter === "" ? "no agents yet" : "no agent meets the filter", tone: "faint" }]];
  const head: Line = [{ text: columns.map((column) => cell(column.title, column)).join(""), tone: "faint" }];
  const fits = Math.max(1, room - 2);
  const shown = agents.slice(0, fits).map(agentLine);
  const more = matching - shown.length;
  return [head, ...shown, ...(more > 0 ? [[{ text: `and ${formatNumber(more)} more`, tone: "faint" as const }]] : [])];
}

const timeOfDay = (atMs: number) => new Date(atMs).toISOString().slice(11, 19);

function absentLine({ absent, nowMs, answeredAtMs }: WatchedState): Line[] {
  if (absent === null) return [];
  const since = quantityText(formatDuration(Math.max(0, nowMs - absent.sinceMs)));
  const old = answeredAtMs === null ? "" : `; what is below is of ${timeOfDay(answeredAtMs)}Z`;
  return [[{ text: `NO CONTROLLER for ${since}: ${absent.reason}${old}`, tone: "bad" }]];
}

const faint = (line: Line): Line => line.map(({ text }) => ({ text, tone: "faint" }));

/** Cuts a line to a width. */
export function cutLine(line: Line, width: number): Line {
  let room = width;
  const spans: Span[] = [];
  for (const span of line) {
    if (room <= 0) break;
    const text = cut(span.text, room);
    spans.push({ ...span, text });
    room -= [...text].length;
  }
  return spans;
}

/** Lines of a screen with a watched fleet: its figures, then as many agents as fit. */
export function watchLines(state: WatchedState, size: { readonly columns: number; readonly rows: number }): Line[] {
  const { view, absent } = state;
  const top = absentLine(state);
  if (view === null) return absent === null ? [[{ text: "asking the controller", tone: "faint" }]] : top;
  const fleet = fleetLines(view, { withBars: true });
  const room = size.rows - top.length - fleet.length - 1;
  const rest: Line[] = [...fleet, [], ...agentLines(state, room)];
  const lines = [...top, ...(absent === null ? rest : rest.map(faint))];
  return lines.slice(0, size.rows).map((line) => cutLine(cleanLine(line), size.columns));
}
