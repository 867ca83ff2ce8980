import { formatTable } from "../format-table.ts";
import type { LoadRun } from "./run-load.ts";

export interface LoadTargets {
  readonly p95Ms: number | undefined;
  readonly minRps: number | undefined;
  /** Share of failed requests, 0 to 1. */
  readonly maxErrorRate: number | undefined;
}

export interface LoadReport extends LoadRun {
  readonly asked: Readonly<Record<string, string | number>>;
  readonly machine: string;
  /** Answered requests per second. */
  readonly achievedRps: number;
  readonly errorRate: number;
  /** Ended by a signal before its time. */
  readonly interrupted: boolean;
  /** What was missed, in words; empty when all targets are met. */
  readonly missed: readonly string[];
}

/** The run against its targets. A run without any answer always misses. */
export function createLoadReport(
  run: LoadRun,
  about: Pick<LoadReport, "asked" | "machine" | "interrupted">,
  { p95Ms, minRps, maxErrorRate }: LoadTargets,
): LoadReport {
  const failed = Object.values(run.errors).reduce((sum, count) => sum + count, 0);
  const ended = run.answered + failed;
  const errorRate = ended === 0 ? 0 : failed / ended;
  const achievedRps = run.durationMs > 0 ? run.answered / (run.durationMs / 1_000) : 0;
  const { p95 } = run.latencyMs;
  const missed: string[] = [];
  if (run.answered === 0) missed.push("no request was answered");
  if (p95Ms !== undefined && p95 !== null && p95 > p95Ms) missed.push(`p95 ${p95.toFixed(1)} ms is over ${p95Ms} ms`);
  if (minRps !== undefined && achievedRps < minRps) missed.push(`${achievedRps.toFixed(1)} rps is under ${minRps} rps`);
  if (maxErrorRate !== undefined && errorRate > maxErrorRate) {
    missed.push(`error rate ${errorRate.toFixed(4)} is over ${maxErrorRate}`);
  }
  return { ...run, ...about, achievedRps, errorRate, missed };
}

/** For people; the last line is the verdict. */
export function formatLoadReport(report: LoadReport): string {
  const ms = (value: number | null) => (value === null ? "-" : `${value.toFixed(1)} ms`);
  const { p50, p95, p99, max } = report.latencyMs;
  const errors = Object.entries(report.errors).map(([status, count]) => [`errors: ${status}`, String(count)]);
  const rows = [
    ...Object.entries(report.asked).map(([name, value]) => [name, String(value)]),
    ["machine", report.machine],
    ["duration", `${(report.durationMs / 1_000).toFixed(1)} s${report.interrupted ? " (interrupted)" : ""}`],
    ["answered", `${report.answered} (${report.achievedRps.toFixed(1)} requests/s)`],
    ["latency p50", ms(p50)],
    ["latency p95", ms(p95)],
    ["latency p99", ms(p99)],
    ["latency max", ms(max)],
    ["error rate", report.errorRate.toFixed(4)],
    ...errors,
    ...(report.unanswered > 0 ? [["unanswered at the end", String(report.unanswered)]] : []),
    ["retries", "none"],
  ];
  const verdict = report.missed.length === 0 ? "passed" : `MISSED: ${report.missed.join("; ")}`;
  return `${formatTable(["load", ""], rows)}\n${verdict}`;
}
