import { dayMs } from "#platform/time.ts";
import type { Tenants } from "../access/tenants.ts";
import type { TenantDataStore } from "../store/store.ts";

/** Name under which figures are counted whose tenant's retention has ended; none can be a tenant's. */
const expiredName = "(expired)";

export interface TenantExpiryParts {
  readonly store: Pick<TenantDataStore, "renameCosts">;
  readonly tenants: Pick<Tenants, "list">;
}

/** Ends the retention of tenants that have one of their own: older cost lines lose their name and stay in the sums. */
export class TenantExpiry {
  readonly #parts: TenantExpiryParts;
  /** Time up to which it was done since the start, by tenant. */
  readonly #doneMs = new Map<string, number>();

  constructor(parts: TenantExpiryParts) {
    this.#parts = parts;
  }

  /** Resolves with the number of lines. */
  async run(nowMs: number): Promise<number> {
    const { store, tenants } = this.#parts;
    let renamed = 0;
    for (const { id, settings } of tenants.list()) {
      if (settings.retentionDays == null) continue;
      const beforeMs = nowMs - settings.retentionDays * dayMs;
      const fromMs = this.#doneMs.get(id) ?? 0;
      // A day more: what was rolled up meanwhile.
      renamed += await store.renameCosts(id, expiredName, Math.max(0, fromMs - dayMs), beforeMs);
      this.#doneMs.set(id, Math.max(0, beforeMs));
    }
    return renamed;
  }
}
