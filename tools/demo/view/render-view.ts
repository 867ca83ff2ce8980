import type { ForecastAccuracy } from "#protocol/messages.ts";
import { actToText } from "#tools/demo/second-act.ts";
import {
  costToText,
  energyToText,
  formatClock,
  formatDuration,
  formatTime,
  milliseconds,
  rate,
  scaleToText,
  serviceToText,
  thousands,
  wrap,
} from "./format.ts";
import { routesLine } from "./routes-to-text.ts";
import type { Act, AgentSnapshot, DemoSnapshot, TrainingSnapshot } from "./snapshot.ts";

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const minColumns = 40;

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly isNumber: boolean;
  readonly of: (agent: AgentSnapshot) => string;
}

const text = (title: string, width: number, of: Column["of"]): Column => ({ title, width, isNumber: false, of });
const figure = (title: string, width: number, of: Column["of"]): Column => ({ title, width, isNumber: true, of });

const board = text("BOARD", 14, (agent) => agent.board);
const columns: readonly Column[] = [
  text("AGENT", 9, (agent) => agent.agentId),
  text("ROLE", 8, (agent) => (agent.online ? agent.role : "offline")),
  text("MODE", 10, (agent) => agent.powerMode ?? "-"),
  figure("WATTS", 5, ({ watts }) => watts?.toFixed(0) ?? "-"),
  figure("TEXTS/S", 7, ({ qps }) => rate(qps)),
  figure("FORECAST", 8, ({ forecastPeakQps }) => rate(forecastPeakQps)),
  figure("PROFILE", 7, ({ profileQps }) => rate(profileQps)),
  figure("MEASURED", 8, ({ measuredQps }) => rate(measuredQps)),
  figure("SHARE", 5, ({ share }) => (share === null ? "-" : `${(100 * share).toFixed(0)} %`)),
];

function row(shown: readonly Column[], cell: (column: Column) => string): string {
  const cells = shown.map((column) => {
    const { width, isNumber } = column;
    const clipped = clip(cell(column), width);
    return isNumber ? clipped.padStart(width) : clipped.padEnd(width);
  });
  return cells.join(" ").trimEnd();
}

function bar(share: number, length: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * length);
  return "█".repeat(filled) + "░".repeat(length - filled);
}

function total(agents: readonly AgentSnapshot[], value: (agent: AgentSnapshot) => number | null): number | null {
  const known = agents.map(value).filter((one) => one !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
}

function table({ agents, forecast }: DemoSnapshot, width: number): string[] {
  const [agentId, ...others] = columns as [Column, ...Column[]];
  const shown = width >= 100 ? [agentId, board, ...others] : columns;
  const online = agents.filter((agent) => agent.online);
  const active = online.filter((agent) => agent.role === "active");
  const fleet: Readonly<Record<string, string>> = {
    AGENT: "fleet",
    ROLE: `${active.length}/${agents.length} on`,
    WATTS: total(agents, ({ watts }) => watts)?.toFixed(0) ?? "-",
    "TEXTS/S": rate(total(agents, ({ qps }) => qps)),
    FORECAST: rate(forecast?.peakQps ?? null),
    PROFILE: rate(total(active, ({ profileQps }) => profileQps)),
  };
  return [
    row(shown, ({ title }) => title),
    ...agents.map((agent) => row(shown, ({ of }) => of(agent))),
    row(shown, ({ title }) => fleet[title] ?? ""),
  ];
}

/** Shows the act under way in two lines, one that is over in one. */
function actLines({ fromMs, boardSpeed, service }: Act, index: number, acts: readonly Act[]): string[] {
  const name = `act ${index + 1}    `;
  if (index < acts.length - 1) return [name + serviceToText(service)];
  const since = index === 0 ? "" : `since ${formatTime(fromMs)} `;
  return [name + since + actToText(boardSpeed), " ".repeat(name.length) + serviceToText(service)];
}

function risesToText(accuracy: ForecastAccuracy | null): string {
  if (accuracy === null || accuracy.forecasts === 0) return "no forecast has been judged yet";
  const { rises, hits, falseAlarms, medianLeadMinutes } = accuracy;
  const lead = medianLeadMinutes === null ? "" : `, ${medianLeadMinutes.toFixed(0)} min ahead`;
  const alarms = `${falseAlarms} false ${falseAlarms === 1 ? "alarm" : "alarms"}`;
  return `${hits} of ${rises} ${rises === 1 ? "rise" : "rises"} foretold${lead}; ${alarms}`;
}

/** Trainings that are under way or have ended: waiting is no news. */
function trainingLines(trainings: readonly TrainingSnapshot[]): string[] {
  return trainings.flatMap(({ agentId, state, epoch, loss, last }) => {
    const step = `${state}, epoch ${epoch ?? 0}${loss === null ? "" : `, loss ${loss.toFixed(4)}`}`;
    const before = last === null ? [] : [`${last.kind}: ${last.reason}`];
    const parts = state === "waiting" ? before : [step, ...before];
    return parts.length === 0 ? [] : [`training ${agentId}: ${parts.join("; before: ")}`];
  });
}

function decisionLines({ decisions }: DemoSnapshot, width: number): string[] {
  return decisions
    .toReversed()
    .flatMap(({ atMs, kind, reason }) => wrap(`${formatTime(atMs)} ${kind}: ${reason}`, width, 2));
}

/** Renders the live view within the terminal's size: the newest decisions fill what is left of it. */
export function renderView(snapshot: DemoSnapshot, { columns: width, rows }: ScreenSize): string[] {
  const { traffic, scale, cost, clockMs, fromMs, progress, elapsedS, windowS, acts, speed } = snapshot;
  const time = `${formatDuration(elapsedS)} of ${formatDuration(windowS)}`;
  const head = `thormesh demo  ${formatClock(clockMs)} UTC  `;
  const minutes = Math.max(0, (clockMs - fromMs) / 60_000);
  const lines = [
    `${head}${bar(progress, Math.max(4, Math.min(width, 100) - head.length - time.length - 2))}  ${time}`,
    `page     ${snapshot.page}`,
    `scale    ${scaleToText(scale, speed)}`,
    ...acts.flatMap(actLines),
    `traffic  ${rate(snapshot.sentQps / speed)} texts/s; ${thousands.format(traffic.requests)} texts answered in ${minutes.toFixed(0)} min ` +
      `(${rate(minutes > 0 ? traffic.requests / minutes / 60 : 0)} texts/s)`,
    `routes   ${routesLine(snapshot.routes, scale.requestsPerRealRequest)}`,
    "",
    ...table(snapshot, width),
    "",
    ...(cost === null
      ? ["energy   nothing measured yet"]
      : [`energy   ${energyToText(cost)}`, `cost     ${costToText(cost)}`]),
    `forecast ${risesToText(snapshot.accuracy)}`,
    ...trainingLines(snapshot.trainings),
    ...decisionLines(snapshot, width),
  ];
  // The last row stays empty: a line feed in it would scroll the view away.
  return lines.slice(0, Math.max(1, rows - 1)).map((line) => clip(line, Math.max(minColumns, width)));
}

/** Renders a line of progress, for a log. */
export function renderProgress(snapshot: DemoSnapshot): string {
  const { agents, traffic, cost, acts, speed } = snapshot;
  const active = agents.filter((agent) => agent.online && agent.role === "active");
  const modes = active.map((agent) => agent.powerMode ?? "?").join(" ");
  return [
    `${formatClock(snapshot.clockMs)} (${(snapshot.progress * 100).toFixed(0)} %), act ${acts.length}`,
    `${rate(snapshot.sentQps / speed)} texts/s`,
    `${traffic.requests} answered`,
    `${traffic.errors} errors`,
    routesLine(snapshot.routes, snapshot.scale.requestsPerRealRequest),
    `p95 ${milliseconds(acts.at(-1)?.service.p95Ms ?? null)} ms`,
    `${active.length}/${agents.length} active (${modes})`,
    `forecast peak ${rate(snapshot.forecast?.peakQps ?? null)} texts/s`,
    cost === null ? "cost -" : `${cost.run.energyKwh.toFixed(3)} kWh $${cost.run.costUsd.toFixed(4)}`,
  ].join(", ");
}
