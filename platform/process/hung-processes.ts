import { minuteMs } from "../time.ts";

/** Counts child processes that were killed because they did not answer, so that a hang is never silent. */
export interface HungProcesses {
  /** @param kind purpose of the process: model, forecast, … */
  record(kind: string, reason: string): void;
  counts(): ReadonlyMap<string, number>;
  /** Returns the newest one while it is younger than five minutes, else null. */
  recent(): { readonly kind: string; readonly reason: string; readonly agoMs: number } | null;
}

const recentMs = 5 * minuteMs;

/** @param kinds counted from 0, so that the first hang shows as a rise */
export function createHungProcesses(
  kinds: readonly string[],
  nowMs: () => number = () => performance.now(),
): HungProcesses {
  const counts = new Map(kinds.map((kind) => [kind, 0]));
  let last: { kind: string; reason: string; atMs: number } | null = null;
  return {
    record(kind, reason) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      last = { kind, reason, atMs: nowMs() };
    },
    counts: () => counts,
    recent() {
      if (last === null) return null;
      const agoMs = nowMs() - last.atMs;
      return agoMs < recentMs ? { kind: last.kind, reason: last.reason, agoMs } : null;
    },
  };
}

/** Makes one of the checks of `/health`. */
export function describeHungProcesses(hung: HungProcesses): { status: "healthy" | "degraded"; detail: string } {
  const all = [...hung.counts()].filter(([, count]) => count > 0).map(([kind, count]) => `${kind}: ${count}`);
  const total = all.length === 0 ? "" : `; replaced since the start: ${all.join(", ")}`;
  const recent = hung.recent();
  if (recent === null) return { status: "healthy", detail: `all processes answer${total}` };
  const ago = `${Math.round(recent.agoMs / 1000)} s ago`;
  return { status: "degraded", detail: `a ${recent.kind} process was replaced ${ago}: it ${recent.reason}${total}` };
}
