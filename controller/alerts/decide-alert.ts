import { hourMs, minuteMs } from "#platform/time.ts";
import type { AlertSeverity } from "./alert-rules.ts";

/** Value of a rule's figure for one thing (the fleet, an agent, a budget). */
export interface AlertReading {
  readonly rule: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Null: unknown now. */
  readonly value: number | null;
  readonly threshold: number;
  readonly isBelow: boolean;
  readonly unit: string;
  readonly forMs: number;
  readonly severity: AlertSeverity;
  readonly summary: string;
  /** Sentence on what is behind the value; null: none. */
  readonly detail: string | null;
}

export interface Alert {
  /** Identity of its subject: rule and labels. */
  readonly key: string;
  readonly rule: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: "pending" | "firing" | "resolved";
  readonly severity: AlertSeverity;
  readonly summary: string;
  readonly unit: string;
  readonly isBelow: boolean;
  readonly threshold: number;
  readonly value: number;
  readonly detail: string | null;
  /** Time since which the value is beyond the threshold. */
  readonly sinceMs: number;
  readonly firingSinceMs: number | null;
  readonly resolvedAtMs: number | null;
  /** Time of the newest value. */
  readonly readAtMs: number;
}

/** Time without a value after which a firing alert is over: what it was about may be gone. */
const forgottenAfterMs = 15 * minuteMs;
/** Time for which a resolved alert is shown. */
const shownAfterMs = 24 * hourMs;

export const alertKey = ({ rule, labels }: Pick<AlertReading, "rule" | "labels">) =>
  [
    rule,
    ...Object.entries(labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`),
  ].join(",");

function withoutReading(before: Alert | null, nowMs: number): Alert | null {
  if (before === null) return null;
  const { status, readAtMs, resolvedAtMs } = before;
  if (status === "resolved") return nowMs - (resolvedAtMs ?? 0) < shownAfterMs ? before : null;
  if (nowMs - readAtMs < forgottenAfterMs) return before;
  return status === "pending" ? null : { ...before, status: "resolved", resolvedAtMs: nowMs };
}

/**
 * Decides what becomes of an alert with a new value: beyond its threshold it is pending, after `forMs` it fires, and it is resolved once the value
 * is within again. Without a value it stays as it is for a while. Null: there is no alert.
 */
export function decideAlert(before: Alert | null, reading: AlertReading | null, nowMs: number): Alert | null {
  if (reading === null || reading.value === null) return withoutReading(before, nowMs);
  const { rule, labels, value, threshold, isBelow, unit, severity, summary, detail } = reading;
  const isBeyond = isBelow ? value < threshold : value > threshold;
  const open = before === null || before.status === "resolved" ? null : before;
  if (!isBeyond) {
    if (open === null) return withoutReading(before, nowMs);
    if (open.status === "pending") return null;
    return { ...open, value, detail, status: "resolved", resolvedAtMs: nowMs, readAtMs: nowMs };
  }
  // A clock that was set back must not keep an alert pending for longer than it is meant to be.
  const sinceMs = Math.min(open?.sinceMs ?? nowMs, nowMs);
  const isFiring = open?.status === "firing" || nowMs - sinceMs >= reading.forMs;
  return {
    ...{ key: alertKey(reading), rule, labels, severity, summary, unit, isBelow, threshold, value, detail, sinceMs },
    status: isFiring ? "firing" : "pending",
    firingSinceMs: isFiring ? (open?.firingSinceMs ?? nowMs) : null,
    ...{ resolvedAtMs: null, readAtMs: nowMs },
  };
}
