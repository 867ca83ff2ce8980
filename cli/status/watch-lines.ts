import type { AgentView, FleetView } from "#controller/api/schemas.ts";
import type { ControllerLocalView } from "#controller/local/controller-door.ts";
import { cleanText } from "#platform/clean-text.ts";
import { formatDuration, formatNumber, formatWatts, quantityText, unknown } from "#platform/page/format.ts";
import type { Tone } from "#platform/terminal/paint.ts";
import { noteOf } from "./agent-lines.ts";
import { controllerLines } from "./controller-lines.ts";
import { cleanLine, fleetLines, type Line, type Span } from "./fleet-lines.ts";

/** State of a watched fleet. */
export interface WatchedState {
  /** Newest that the controller said; null: nothing yet. */
  readonly view: FleetView | null;
  /** Facts that the controller's own machine is told; absent or null: it runs on another one. */
  readonly local?: ControllerLocalView | null;
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

interface Column {
  readonly title: string;
  /** Null: as wide as its text. */
  readonly width: number | null;
  readonly isNumber?: true;
}

/** Widest id; a longer one is cut. */
const maxIdWidth = 22;

const figureColumns: readonly Column[] = [
  { title: "STATE", width: 8 },
  { title: "TEXTS/S", width: 8, isNumber: true },
  { title: "P95", width: 8, isNumber: true },
  { title: "POWER", width: 8, isNumber: true },
  { title: "MODE", width: 8 },
  { title: "NOTE", width: null },
];

const cut = (text: string, width: number) =>
  [...text].length > width ? `${[...text].slice(0, width - 1).join("")}…` : text;

function cell(text: string, { width, isNumber }: Column): string {
  if (width === null) return text;
  const short = cut(text, width);
  const space = " ".repeat(width - [...short].length);
  return isNumber === true ? `${space}${short}  ` : `${short}${space}  `;
}

/** Controllers of earlier versions send the status only. */
const conditionOf = ({ condition, status }: AgentView): AgentView["condition"] =>
  condition ?? (status === "offline" ? "offline" : "serving");

function textsOf(agent: AgentView): string[] {
  return [
    cleanText(agent.agentId, 64),
    conditionOf(agent),
    formatNumber(agent.qps),
    agent.p95LatencyMs === null ? unknown : quantityText(formatDuration(agent.p95LatencyMs)),
    agent.watts === null ? unknown : quantityText(formatWatts(agent.watts)),
    cleanText(agent.powerMode.reported ?? unknown, 64),
    cleanText(noteOf(agent), 256),
  ];
}

/** Table of agents, without columns of which nothing is known: the room is for notes. */
function tableOf(agents: readonly AgentView[]): Line[] {
  const rows = agents.map((agent) => ({ condition: conditionOf(agent), texts: textsOf(agent) }));
  const longest = rows.reduce((max, { texts }) => Math.max(max, [...(texts[0] ?? "")].length), "AGENT".length);
  const columns = [{ title: "AGENT", width: Math.min(maxIdWidth, longest) }, ...figureColumns].flatMap(
    (column, index) => (rows.every(({ texts }) => texts[index] === unknown) ? [] : [{ column, index }]),
  );
  const head: Span = { text: columns.map(({ column }) => cell(column.title, column)).join(""), tone: "faint" };
  const lines = rows.map(({ condition, texts }) =>
    columns.map(({ column, index }): Span => {
      const text = cell(texts[index] ?? "", column);
      if (column.title === "STATE") return { text, tone: toneOf[condition] };
      return condition === "offline" ? { text, tone: "faint" } : { text };
    }),
  );
  return [[head], ...lines];
}

function agentLines({ agents, matching, filter }: WatchedState, room: number): Line[] {
  if (agents.length === 0)
    return [[{ text: filter === "" ? "no agents yet" : "no agent matches the filter", tone: "faint" }]];
  const shown = agents.slice(0, Math.max(1, room - 2));
  const more = matching - shown.length;
  return [
    ...tableOf(shown),
    ...(more > 0 ? [[{ text: `and ${formatNumber(more, 9)} more`, tone: "faint" as const }]] : []),
  ];
}

const timeOfDay = (atMs: number) => new Date(atMs).toISOString().slice(11, 19);

function absentLine({ absent, nowMs, answeredAtMs }: WatchedState): Line[] {
  if (absent === null) return [];
  const since = quantityText(formatDuration(Math.max(0, nowMs - absent.sinceMs)));
  const old = answeredAtMs === null ? "" : `; the figures below are from ${timeOfDay(answeredAtMs)}Z`;
  return [[{ text: `NO CONTROLLER for ${since}: ${absent.reason}${old}`, tone: "bad" }]];
}

const faint = (line: Line): Line => line.map(({ text }) => ({ text, tone: "faint" }));

/** Cuts a line to a width. */
function cutLine(line: Line, width: number): Line {
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
  const controller = state.local == null ? [] : controllerLines(view, state.local);
  const fleet = [...fleetLines(view, { withBars: true }), ...controller];
  const room = size.rows - top.length - fleet.length - 1;
  const rest: Line[] = [...fleet, [], ...agentLines(state, room)];
  const lines = [...top, ...(absent === null ? rest : rest.map(faint))];
  return lines.slice(0, size.rows).map((line) => cutLine(cleanLine(line), size.columns));
}
