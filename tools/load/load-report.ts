import { formatTable } from "#platform/terminal/format-table.ts";
import { judgeLoad, judgeRequests } from "./judge-load.ts";
import type { LoadTargets } from "./load-targets.ts";
import type { LoadRun } from "./run-load.ts";
import type { WatchedProcesses } from "./watch/watch-processes.ts";

interface AboutLoad {
  readonly asked: Readonly<Record<string, string | number>>;
  readonly machine: string;
  /** True: the phases are stages that were asked for, each judged by itself. */
  readonly staged: boolean;
  /** True if a signal ended the run early. */
  readonly interrupted: boolean;
  readonly textsPerRequest: number;
  /** Requests that no server received and that were sent again, by cause. */
  readonly retries: Readonly<Record<string, number>>;
  /** CPU time of this program during the run, which a server on the same machine did not get. */
  readonly clientCpuS: number;
  /** CPU time of all programs on this machine during the run; undefined without /proc. */
  readonly machineCpuS: number | undefined;
  readonly watched: WatchedProcesses | undefined;
}

export interface LoadReport extends LoadRun, AboutLoad {
  /** Answered requests per second, and the texts in them. */
  readonly achievedRps: number;
  readonly textsPerS: number;
  /** Texts for each second of CPU time of the watched processes. */
  readonly textsPerServerCpuS: number | null;
  /** Share of the requests that ended without an answer. */
  readonly errorRate: number;
  /** Missed targets, in words. */
  readonly missed: readonly string[];
}

export function createLoadReport(run: LoadRun, about: AboutLoad, targets: LoadTargets): LoadReport {
  const errors = run.rejected + run.failed;
  const ended = run.answered + errors;
  const seconds = run.durationMs / 1_000;
  const achievedRps = seconds > 0 ? run.answered / seconds : 0;
  const serverCpuS = about.watched?.cpuS ?? 0;
  const inStages = about.staged
    ? run.phases.flatMap((phase, index) =>
        judgeRequests(phase, targets).map((miss) => `stage ${phase.name ?? index + 1}: ${miss}`),
      )
    : [];
  return {
    ...run,
    ...about,
    achievedRps,
    textsPerS: achievedRps * about.textsPerRequest,
    textsPerServerCpuS: serverCpuS > 0 ? (run.answered * about.textsPerRequest) / serverCpuS : null,
    errorRate: ended === 0 ? 0 : errors / ended,
    missed: [...inStages, ...judgeLoad(run, achievedRps, about.watched, targets)],
  };
}

const ms = (value: number | null) => (value === null ? "-" : `${value.toFixed(1)} ms`);
const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
const listed = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([cause, count]) => `${count} ${cause}`);

function serverRows({ watched, textsPerServerCpuS, durationMs }: LoadReport): string[][] {
  if (watched === undefined) return [];
  const { cpuS, memoryBytes, memory } = watched;
  const cores = (cpuS / (durationMs / 1_000)).toFixed(2);
  return [
    [
      "server CPU",
      `${cpuS.toFixed(1)} s (${cores} cores), ${textsPerServerCpuS?.toFixed(1) ?? "-"} texts per CPU second`,
    ],
    [
      "server memory",
      `${mb(memoryBytes.first)} at the start, ${mb(memoryBytes.most)} maximum, ${mb(memoryBytes.last)} at the end`,
    ],
    ["", `${memory.kind}: ${memory.reason}`],
  ];
}

const levelToText = (level: number) => level.toFixed(1).replace(/\.0$/, "");

function phaseTable(report: LoadReport): string {
  const rows = report.phases.map((phase, index) => [
    phase.name ?? String(index + 1),
    levelToText(phase.level) + (phase.toLevel === undefined ? "" : `..${levelToText(phase.toLevel)}`),
    (phase.durationMs / 1_000).toFixed(1),
    String(phase.answered),
    String(phase.rejected),
    String(phase.failed),
    ms(phase.latencyMs.p50),
    ms(phase.latencyMs.p95),
  ]);
  const unit = report.asked["clients"] === undefined ? "requests/s" : "clients";
  const first = report.staged ? "stage" : "phase";
  return formatTable([first, unit, "s", "answered", "429", "failed", "p50", "p95"], rows);
}

/** Formats a report as text; the last line is the verdict. */
export function formatLoadReport(report: LoadReport): string {
  const { p50, p95, p99, max } = report.latencyMs;
  const seconds = report.durationMs / 1_000;
  const retries = listed(report.retries);
  const rows = [
    ...Object.entries(report.asked).map(([name, value]) => [name, String(value)]),
    ["machine", report.machine],
    ["duration", `${seconds.toFixed(1)} s${report.interrupted ? " (interrupted)" : ""}`],
    ["answered", `${report.answered} (${report.achievedRps.toFixed(1)} requests/s)`],
    ...(report.textsPerRequest > 1 ? [["texts", `${report.textsPerS.toFixed(1)} texts/s`]] : []),
    ["latency p50", ms(p50)],
    ["latency p95", ms(p95)],
    ["latency p99", ms(p99)],
    ["latency max", ms(max)],
    ...(report.latestSendMs === null ? [] : [["latest sending", `${ms(report.latestSendMs)} after it was due`]]),
    ["error rate", report.errorRate.toFixed(4)],
    ...listed(report.errors).map((line) => ["errors", line]),
    ...(report.unanswered > 0 ? [["unanswered at the end", String(report.unanswered)]] : []),
    ["retries", retries.length === 0 ? "none" : retries.join(", ")],
    ["client CPU", `${report.clientCpuS.toFixed(1)} s (${(report.clientCpuS / seconds).toFixed(2)} cores)`],
    ...serverRows(report),
  ];
  const phases = phaseTable(report);
  const table = report.phases.length > 1 || report.staged ? `\n\n${phases}\n` : "";
  const verdict = report.missed.length === 0 ? "passed" : `MISSED: ${report.missed.join("; ")}`;
  return `${formatTable(["load", ""], rows)}${table}\n${verdict}`;
}
