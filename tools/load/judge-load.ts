import type { Bound, LoadTargets } from "./load-targets.ts";
import type { LoadRun } from "./run-load.ts";
import type { WatchedProcesses } from "./watch/watch-processes.ts";

/** Tolerance of the rate: the last answer comes after the last request, so that a server that answers all of 50 requests/s is slightly below 50. */
const rateTolerance = 0.01;

function overBound(what: string, count: number, ended: number, limit: Bound | undefined): string[] {
  if (limit === undefined) return [];
  const share = ended === 0 ? 0 : count / ended;
  if (limit.kind === "count") return count > limit.value ? [`${count} ${what} are over ${limit.value}`] : [];
  return share > limit.value ? [`${(100 * share).toFixed(2)} % ${what} are over ${100 * limit.value} %`] : [];
}

/**
 * Lists the targets that a run missed, in words. A run without any answer always misses.
 * @param achievedRps answered requests per second
 */
export function judgeLoad(
  run: LoadRun,
  achievedRps: number,
  watched: WatchedProcesses | undefined,
  targets: LoadTargets,
): string[] {
  const missed: string[] = [];
  if (run.answered === 0) missed.push("no request was answered");
  for (const [name, limitMs] of Object.entries(targets.latencyMs)) {
    const ms = run.latencyMs[name as keyof LoadTargets["latencyMs"]];
    if (ms !== null && ms > limitMs) missed.push(`${name} ${ms.toFixed(1)} ms is over ${limitMs} ms`);
  }
  if (targets.rate !== undefined && achievedRps < (1 - rateTolerance) * targets.rate) {
    missed.push(`${achievedRps.toFixed(1)} requests/s are under ${targets.rate}`);
  }
  const ended = run.answered + run.rejected + run.failed;
  missed.push(...overBound("errors", run.rejected + run.failed, ended, targets.errors));
  missed.push(...overBound("failures", run.failed, ended, targets.failures));
  if (targets.flatMemory && watched?.memory.kind !== "flat") {
    missed.push(`memory is not shown to be flat: ${watched?.memory.reason ?? "no process was watched"}`);
  }
  if (watched !== undefined && watched.gone.length > 0) missed.push(`process ${watched.gone.join(", ")} ended`);
  return missed;
}
