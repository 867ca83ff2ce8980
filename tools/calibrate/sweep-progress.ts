import type { SweepEvent } from "#agent/power/calibration/sweep-modes.ts";

const barWidth = 24;

/** Formats a duration: "40 s", from 90 s on in minutes: "2 min". */
export function durationToText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

const missedText = { p95: "too slow", errors: "requests failed", rate: "not kept up" } as const;

function eventToText(event: SweepEvent): string {
  switch (event.kind) {
    case "mode":
      return `${event.mode} (${event.number} of ${event.of}): settling`;
    case "step":
      return `${event.mode}: ${event.rateQps.toFixed(1)} qps, p95 ${event.p95Ms?.toFixed(1) ?? "-"} ms${event.missed === null ? "" : `, ${missedText[event.missed]}`}`;
    case "measured": {
      const { name, capacityQps, busyWatts, idleWatts } = event.mode;
      const watts = (value: number | null) => (value === null ? "?" : value.toFixed(1));
      return `${name}: ${capacityQps.toFixed(1)} qps, ${watts(busyWatts)} W busy, ${watts(idleWatts)} W idle (${event.reason})`;
    }
    case "doubtful":
      return event.isMeasuredAgain
        ? `${event.mode}: measuring again, because something else may have used the machine: ${event.reason}`
        : `${event.mode}: DOUBTFUL, and marked so: ${event.reason}. Stop other programs and run it again: thormesh calibrate --modes ${event.mode}`;
    case "skipped":
      return `${event.mode}: skipped: ${event.reason}`;
    default:
      return event satisfies never;
  }
}

/**
 * Shows progress: on a terminal a bar with the estimated time left, elsewhere a line for each event.
 * @param modeMs estimated time of a mode
 */
export function createSweepProgress(
  output: { write(text: string): unknown; readonly isTTY?: boolean },
  modes: number,
  modeMs: number,
  nowMs: () => number,
) {
  let finished = 0;
  let beganMs = nowMs();
  let ownModeMs = modeMs;
  return {
    take(event: SweepEvent): void {
      const text = eventToText(event);
      if (event.kind === "mode") beganMs = nowMs();
      if (event.kind === "measured" || event.kind === "skipped") {
        finished = Math.min(modes, finished + 1);
        // After the first measured mode its time is the estimate.
        if (event.kind === "measured") ownModeMs = nowMs() - beganMs;
      }
      const within = Math.min(0.95, (nowMs() - beganMs) / ownModeMs);
      const done = finished === modes ? modes : finished + (event.kind === "step" ? within : 0);
      const left = durationToText((modes - done) * ownModeMs);
      if (output.isTTY !== true)
        return void output.write(`${text}${finished === modes ? "" : `; about ${left} left`}\n`);
      const filled = Math.round((done / modes) * barWidth);
      const bar = "#".repeat(filled).padEnd(barWidth, "-");
      // Results stay on the screen; progress is overwritten.
      const stays = event.kind === "measured" || event.kind === "skipped" || event.kind === "doubtful";
      const last = stays ? `\r\x1b[K${text}\n` : "\r\x1b[K";
      output.write(
        `${last}[${bar}] ${event.kind === "mode" || event.kind === "step" ? `${text}; ` : ""}about ${left} left`,
      );
    },
    /** Clears the progress line. */
    end(): void {
      if (output.isTTY === true) output.write("\r\x1b[K");
    },
  };
}
