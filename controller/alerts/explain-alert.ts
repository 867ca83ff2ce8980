import type { Alert } from "./decide-alert.ts";

const figure = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

/** Duration in the largest unit that has a whole one: "3 h". */
function timeToText(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Explains an alert in one sentence. */
export function explainAlert(alert: Alert, nowMs: number): string {
  const { summary, value, unit, threshold, isBelow, labels, detail, status, sinceMs, firingSinceMs } = alert;
  const of = Object.entries(labels).map(([name, each]) => `${name} ${each}`);
  const about = of.length === 0 ? "" : ` (${of.join(", ")})`;
  const limit = `${isBelow ? "below" : "above"} ${figure(threshold)}`;
  const began = firingSinceMs ?? sinceMs;
  const time =
    status === "resolved"
      ? `over after ${timeToText((alert.resolvedAtMs ?? nowMs) - began)}`
      : `for ${timeToText(nowMs - sinceMs)}`;
  const now =
    status === "resolved"
      ? `${summary}${about}: ${figure(value)} ${unit}, no longer ${limit}`
      : `${summary}${about}: ${figure(value)} ${unit}, ${limit}`;
  return `${now}, ${time}${detail === null ? "" : `; ${detail}`}`;
}
