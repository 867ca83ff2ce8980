import { hourMs, minuteMs } from "#platform/time.ts";

export type AlertSeverity = "info" | "warning" | "critical";

/** Rule that comes with the program: its figure, when it is too much, and for how long. */
export interface AlertRule {
  readonly summary: string;
  readonly unit: string;
  /** True: below the threshold is what is wrong. */
  readonly isBelow: boolean;
  readonly threshold: number;
  /** Bounds of the threshold. */
  readonly range: readonly [number, number];
  readonly forMs: number;
  readonly severity: AlertSeverity;
}

const above = { isBelow: false, severity: "warning" } as const;

/** Built-in rules by name. Budgets have rules of their own, one for each of their shares. */
export const alertRules = {
  "daily-cost": {
    ...{ ...above, summary: "cost of the last 24 hours", unit: "$", threshold: 185, range: [0, 1e9], forMs: hourMs },
  },
  "monthly-projection": {
    ...{ ...above, summary: "cost of the last full hour × 730", unit: "$", threshold: 6000, range: [0, 1e9] },
    forMs: 6 * hourMs,
  },
  "cost-spike": {
    ...{ ...above, summary: "cost of the last full hour relative to the same hour of the day before", unit: "% more" },
    ...{ threshold: 20, range: [0, 1e6], forMs: 30 * minuteMs },
  },
  "cost-anomaly": {
    ...{ ...above, summary: "yesterday's cost above the expected cost", unit: "deviations" },
    ...{ threshold: 3.5, range: [1, 100], forMs: 0 },
  },
  "gpu-utilization": {
    ...{ summary: "mean load of the GPUs of active devices", unit: "%", isBelow: true, severity: "info" },
    ...{ threshold: 50, range: [0, 100], forMs: 2 * hourMs },
  },
  "latency-p95": {
    ...{ ...above, summary: "95th percentile latency", unit: "ms", threshold: 30, range: [0, 600_000] },
    forMs: 5 * minuteMs,
  },
  "error-rate": {
    ...{ summary: "share of requests that failed at the agents", unit: "%", isBelow: false, severity: "critical" },
    ...{ threshold: 1, range: [0, 100], forMs: 2 * minuteMs },
  },
  "gpu-memory": {
    ...{ ...above, summary: "share of the device's memory (shared with the GPU) that thormesh uses", unit: "GB" },
    ...{ threshold: 4, range: [0, 100_000], forMs: 5 * minuteMs },
  },
  throughput: {
    ...{ summary: "the fleet's texts per second when the forecast expects more", unit: "texts/s", isBelow: true },
    ...{ severity: "warning", threshold: 50, range: [0, 1e9], forMs: 5 * minuteMs },
  },
} as const satisfies Readonly<Record<string, AlertRule>>;

export type AlertRuleName = keyof typeof alertRules;

/** Rule of a budget's share. */
export const budgetRule = "budget";
