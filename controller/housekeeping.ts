import { longestAccuracyMs } from "#forecast/accuracy/accuracy-metrics.ts";
import type { LiveAccuracy } from "#forecast/accuracy/live-accuracy.ts";
import type { Logger } from "#platform/log.ts";
import { dayMs } from "#platform/time.ts";
import type { ControllerConfig } from "./config.ts";
import { maxSetAside } from "./fleet/minute-intake.ts";
import type { FleetTraffic } from "./fleet/traffic/fleet-traffic.ts";
import type { TenantExpiry } from "./privacy/tenant-expiry.ts";
import type { TenantJobs } from "./privacy/tenant-jobs.ts";
import type { Store } from "./store/store.ts";

/** Maximum entries of the audit log. */
const maxAuditEntries = 200_000;

/** Maximum notes that are kept, beside the decisions. */
const maxNotes = 1000;

export interface HousekeepingParts {
  readonly store: Pick<
    Store,
    "pruneMinutes" | "pruneService" | "pruneSetAside" | "pruneDecisions" | "pruneAudit" | "pruneToSize"
  >;
  readonly traffic: Pick<FleetTraffic, "prune">;
  readonly accuracy: Pick<LiveAccuracy, "prune">;
  readonly jobs: Pick<TenantJobs, "prune">;
  readonly expiry: Pick<TenantExpiry, "run">;
  readonly retention: ControllerConfig["retention"];
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Removes records when their retention ends, or early when the store is too large. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  #trimmed = 0; // mutate: equivalent because it counts only after the first removal
  #trimmedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  async clean(): Promise<void> {
    const { store, traffic, accuracy, jobs, expiry, retention } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const oldestMs = nowMs - retention.minuteDays * dayMs;
    traffic.prune(nowMs);
    accuracy.prune(Math.min(oldestMs, nowMs - longestAccuracyMs));
    await store.pruneMinutes(oldestMs, nowMs);
    await store.pruneService(nowMs, retention.serviceDays * dayMs);
    await store.pruneSetAside(oldestMs, maxSetAside.inAll);
    await store.pruneDecisions(nowMs - retention.decisionDays * dayMs, retention.mostDecisions, maxNotes);
    await store.pruneAudit(nowMs - retention.auditDays * dayMs, maxAuditEntries, nowMs);
    await expiry.run(nowMs);
    await jobs.prune(nowMs - retention.receiptDays * dayMs);
    await this.trim();
  }

  /** Removes the oldest minutes while the store is larger than `retention.maxBytes`. */
  async trim(): Promise<void> {
    const { store, retention, log } = this.#parts;
    const { maxBytes } = retention;
    const removed = await store.pruneToSize(maxBytes);
    if (removed === 0) return;
    const nowMs = this.#parts.nowMs();
    this.#trimmed = this.recentlyTrimmed(nowMs) + removed;
    this.#trimmedAtMs = nowMs;
    log.error({ removed, maxBytes }, "the store has reached retention.maxBytes: its oldest minutes were removed");
  }

  /** Minutes that were removed early, until 24 hours after the last time. */
  recentlyTrimmed(nowMs: number): number {
    return nowMs - this.#trimmedAtMs > dayMs ? 0 : this.#trimmed;
  }
}
