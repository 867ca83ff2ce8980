import type { LoadCounts } from "./load-counts.ts";
import type { Bound, LoadTargets } from "./load-targets.ts";
import type { WatchedProcesses } from "./watch/watch-processes.ts";

/** Tolerance of the rate: the last answer comes after the last request, so that a server that answers all of 50 requests/s is slightly below 50. */
const rateTolerance = 0.01;

function overBound(what: string, count: number, ended: number, limit: Bound | undefined): string[] {
  if (limit === undefined) return [];
  const share = ended === 0 ? 0 : count / ended;
  if (limit.kind === "count") return count > limit.value ? [`${count} ${what} are over ${limit.value}`] : [];
  return share > limit.value ? [`${(100 * share).toFixed(2)} % ${what} are over ${100 * limit.value} %`] : [];
}

/** Lists the targets of latency and errors that requests missed, in words. */
export function judgeRequests(counts: LoadCounts, targets: LoadTargets): string[] {
  const missed: string[] = [];
  if (counts.answered === 0) missed.push("no request was answered");
  for (const [name, limitMs] of Object.entries(targets.latencyMs)) {
    const ms = counts.latencyMs[name as keyof LoadTargets["latencyMs"]];
    if (ms !== null && ms > limitMs) missed.push(`${name} ${ms.toFixed(1)} ms is over ${limitMs} ms`);
  }
  const ended = counts.answered + counts.rejected + counts.failed;
  missed.push(...overBound("errors", counts.rejected + counts.failed, ended, targets.errors));
  missed.push(...overBound("failures", counts.failed, ended, targets.failures));
  return missed;
}

/**
 * Lists the targets that a run missed, in words. A run without any answer always misses.
 * @param achievedRps answered requests per second
 */
export function judgeLoad(
  run: LoadCounts,
  achievedRps: number,
  watched: WatchedProcesses | undefined,
  targets: LoadTargets,
): string[] {
  const missed = judgeRequests(run, targets);
  if (targets.rate !== undefined && achievedRps < (1 - rateTolerance) * targets.rate) {
    missed.push(`${achievedRps.toFixed(1)} requests/s are under ${targets.rate}`);
  }
  if (targets.flatMemory && watched?.memory.kind !== "flat") {
    missed.push(`memory is not proven flat: ${watched?.memory.reason ?? "no process was watched"}`);
  }
  if (watched !== undefined && watched.gone.length > 0) missed.push(`process ${watched.gone.join(", ")} ended`);
  return missed;
}
