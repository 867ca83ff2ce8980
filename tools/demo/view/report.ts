import type { ForecastAccuracy as LiveAccuracy } from "#protocol/messages.ts";
import type { DemoScale } from "#tools/demo/fleet/plan-scale.ts";
import { actToText } from "#tools/demo/second-act.ts";
import {
  costToText,
  energyToText,
  formatClock,
  formatDuration,
  formatTime,
  paidByToLines,
  promiseToText,
  rate,
  scaleToText,
  serviceToText,
  thousands,
  wrap,
} from "./format.ts";
import { buildRoutesReport, type RoutesReport } from "./routes.ts";
import { routesToLines, servedByToText } from "./routes-to-text.ts";
import type {
  Act,
  CapacityFound,
  CostView,
  DecisionSummary,
  EnergyAndCost,
  PaidBy,
  RoutesView,
  TrafficCounts,
  TrainingAwaited,
  TrainingSummary,
} from "./snapshot.ts";

/** Accuracy of a forecast model during the demo. */
export interface ForecastAccuracy {
  readonly model: string;
  /** Number of forecasts that were compared with the actual traffic. */
  readonly forecasts: number;
  /** Sum of absolute errors divided by the sum of the traffic, over all steps ahead; null without traffic. */
  readonly wape: number | null;
  /** WAPE of the forecast that repeats the last minute. */
  readonly lastValueWape: number | null;
}

/** Model of the controller's forecast of the fleet's traffic. */
export interface ForecastChampion {
  readonly model: string;
  /** Weights of the models in it. */
  readonly shares: Readonly<Record<string, number>>;
  readonly reason: string;
}

export interface PowerModeSwitch {
  readonly atMs: number;
  readonly agentId: string;
  readonly from: string;
  readonly to: string;
}

export interface MachineFacts {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly platform: string;
  /** Rate that one agent served here before the traffic began, without a simulated board, requests per second. */
  readonly measuredQps: number;
}

export interface ReportInput {
  readonly version: string;
  readonly machine: MachineFacts;
  readonly traceName: string;
  readonly clock: { readonly fromMs: number; readonly toMs: number; readonly speed: number };
  readonly durationS: number;
  readonly scale: DemoScale;
  readonly agents: number;
  readonly traffic: TrafficCounts;
  readonly acts: readonly Act[];
  readonly routes: RoutesView;
  /** Capacities that the agents measured of themselves at the end, beside their profiles; texts per second of the fleet's clock. */
  readonly capacities: readonly CapacityFound[];
  readonly decisions: readonly DecisionSummary[];
  readonly modeSwitches: readonly PowerModeSwitch[];
  readonly cost: CostView;
  readonly paidBy: PaidBy;
  readonly forecasts: readonly ForecastAccuracy[];
  /** Champion at the end of the run; null without a forecast. */
  readonly champion: ForecastChampion | null;
  /** Accuracy as measured by the controller, including predicted and missed rises. */
  readonly liveAccuracy: LiveAccuracy | null;
  /** Trainings of agents' own models, oldest first. */
  readonly trainings: readonly TrainingSummary[];
  readonly trainingsAwaited: readonly TrainingAwaited[];
}

/** Output of `thormesh demo --json`. Energy and cost are those of real boards; rates are texts per second of the fleet's clock. */
export interface DemoReport
  extends TrafficCounts,
    EnergyAndCost,
    CostView,
    Omit<ReportInput, "traffic" | "cost" | "traceName" | "clock" | "modeSwitches" | "routes"> {
  readonly routes: RoutesReport;
  /** Number of agents that decisions activated, and put on standby. */
  readonly activations: number;
  readonly standbys: number;
  readonly modeSwitches: number;
  readonly modeSwitchLog: readonly PowerModeSwitch[];
  readonly trace: string;
  readonly clock: { readonly from: string; readonly to: string; readonly speed: number };
}

/** Builds the report from the counts of the demo's clients and the records of the controller. */
export function buildReport(input: ReportInput): DemoReport {
  const count = (agents: (decision: DecisionSummary) => readonly string[]) =>
    input.decisions.reduce((sum, decision) => sum + agents(decision).length, 0);
  const { traffic, cost, traceName, clock, modeSwitches, routes, ...rest } = input;
  return {
    ...traffic,
    ...cost.run,
    ...cost,
    ...rest,
    routes: buildRoutesReport(routes, input.scale.requestsPerRealRequest),
    activations: count((decision) => decision.activated),
    standbys: count((decision) => decision.stoodBy),
    modeSwitches: modeSwitches.length,
    modeSwitchLog: modeSwitches,
    trace: traceName,
    clock: {
      from: new Date(clock.fromMs).toISOString(),
      to: new Date(clock.toMs).toISOString(),
      speed: clock.speed,
    },
    durationS: Math.round(input.durationS * 10) / 10,
  };
}

function percent(share: number | null): string {
  return share === null ? "-" : `${(share * 100).toFixed(1)} %`;
}

function milliseconds(ms: number | null): string {
  return ms === null ? "-" : `${ms.toFixed(1)} ms`;
}

function clockTime(atMs: number): string {
  return new Date(atMs).toISOString().slice(5, 16).replace("T", " ");
}

function renderAct(act: Act, index: number): string[] {
  const { requests } = act.service;
  const seconds = (act.toMs - act.fromMs) / 1000;
  return [
    `act ${index + 1}       ${formatTime(act.fromMs)} to ${formatTime(act.toMs)}: ${actToText(act.boardSpeed)}`,
    `            ${thousands.format(requests)} texts in ${(seconds / 60).toFixed(0)} min (${rate(seconds > 0 ? requests / seconds : 0)} texts/s)`,
    `            ${serviceToText(act.service)}`,
    `            ${servedByToText(act.service.servedBy)}`,
  ];
}

function renderCapacity({ agentId, modeName, measuredQps, profileQps }: CapacityFound): string {
  return (
    `capacity    ${agentId} in ${modeName}: measured ${rate(measuredQps)} texts/s, ` +
    `${percent(measuredQps / profileQps)} of the ${rate(profileQps)} of its profile`
  );
}

/** Lists weights of at least 1 %, the largest first. */
function renderShares(shares: Readonly<Record<string, number>>): string {
  return Object.entries(shares)
    .filter(([, share]) => share >= 0.01)
    .sort(([, a], [, b]) => b - a)
    .map(([model, share]) => `${model} ${(100 * share).toFixed(0)} %`)
    .join(", ");
}

function renderLiveAccuracy(accuracy: LiveAccuracy | null): string[] {
  if (accuracy === null || accuracy.forecasts === 0) return [];
  const { rises, hits, misses, falseAlarms, medianLeadMinutes, coverage95 } = accuracy;
  const lead = medianLeadMinutes === null ? "" : `, ${medianLeadMinutes.toFixed(0)} min ahead in the median`;
  return [
    `rises       ${rises} ${rises === 1 ? "rise" : "rises"} of traffic that needed more capacity: ${hits} predicted${lead}, ${misses} missed; ` +
      `${falseAlarms} false ${falseAlarms === 1 ? "alarm" : "alarms"}; peaks within their 0.95 quantile: ${percent(coverage95)}`,
  ];
}

const maxShownDecisions = 20;

/** Says once why no agent has trained, and of each why not when others have. */
function renderAwaited({ trainings, trainingsAwaited }: DemoReport): string[] {
  const shown = trainings.length > 0 ? trainingsAwaited : trainingsAwaited.slice(0, 1);
  return shown.map(({ agentId, reason }) => `training    ${agentId} none: ${reason}`);
}

/** Indent of a line's continuation: where the text beside its label begins. */
const indent = 12;

/** Formats the report as text, for a terminal of so many columns. */
export function renderReport(report: DemoReport, columns = Number.POSITIVE_INFINITY): string {
  const { scale, latencyMs } = report;
  const shown = report.decisions.slice(-maxShownDecisions);
  const left = report.decisions.length - shown.length;
  return [
    "",
    `thormesh ${report.version} demo: ${report.trace}, ${formatClock(Date.parse(report.clock.from))} to ${formatClock(Date.parse(report.clock.to))} UTC`,
    `  in ${formatDuration(report.durationS)} min on ${report.machine.cpus} x ${report.machine.cpuModel}, ${report.agents} ${report.agents === 1 ? "agent" : "agents"}`,
    "",
    `scale       ${scaleToText(scale, report.clock.speed)}`,
    `SLO         ${promiseToText}`,
    ...report.acts.flatMap(renderAct),
    `requests    ${report.requests} answered, ${report.errors} errors, ${report.retries} retries`,
    `latency     p50 ${milliseconds(latencyMs.p50)}, p95 ${milliseconds(latencyMs.p95)}, p99 ${milliseconds(latencyMs.p99)} (here)`,
    ...routesToLines(report.routes),
    `fleet       ${report.activations} activations, ${report.standbys} standbys, ${report.modeSwitches} power mode switches`,
    ...report.capacities.map(renderCapacity),
    `energy      ${energyToText(report)}`,
    `cost        ${costToText(report)}`,
    ...paidByToLines(report.paidBy),
    ...report.forecasts.map(
      (accuracy) =>
        `forecast    ${accuracy.model}: ${accuracy.forecasts} forecasts, off by ${percent(accuracy.wape)} of the traffic ` +
        `(the last value: ${percent(accuracy.lastValueWape)})`,
    ),
    ...renderLiveAccuracy(report.liveAccuracy),
    ...(report.champion === null ? [] : [`champion    ${renderShares(report.champion.shares)}`]),
    ...report.trainings.map(
      ({ agentId, endedAtMs, kind, reason }) => `training    ${clockTime(endedAtMs)} ${agentId} ${kind}: ${reason}`,
    ),
    ...renderAwaited(report),
    "",
    shown.length === 0
      ? "decisions   none"
      : left > 0
        ? `decisions (the last ${shown.length}; ${left} before)`
        : "decisions",
    ...shown.map((decision) => `  ${clockTime(decision.atMs)} ${decision.kind}: ${decision.reason}`),
  ]
    .flatMap((line) => wrap(line, columns, indent))
    .join("\n");
}
