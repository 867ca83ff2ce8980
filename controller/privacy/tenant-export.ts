import { ServiceError } from "#platform/errors.ts";
import { dayMs, hourMs } from "#platform/time.ts";
import type { KeyRing } from "../access/key-ring.ts";
import type { Tenants } from "../access/tenants.ts";
import { moneyToText } from "../cost/money/money.ts";
import type { WorkCosts } from "../store/costs/cost-rows.ts";
import type { MinuteRecord, Store } from "../store/store.ts";

export interface TenantExportParts {
  readonly store: Pick<Store, "minutes" | "setAsideNaming" | "auditEntries" | "rollUps" | "workCosts">;
  readonly tenants: Pick<Tenants, "list">;
  readonly keys: Pick<KeyRing, "list">;
  readonly nowMs: () => number;
}

/** Stores of which an export is made, in its order. */
export const exportedStores = [
  "controller.db/tenant",
  "controller.db/api_key",
  "controller.db/minute",
  "controller.db/cost_work",
  "controller.db/set_aside",
  "controller.db/audit",
] as const;
export type ExportedStore = (typeof exportedStores)[number];

/** Part of an export. */
export interface ExportPage {
  readonly records: readonly object[];
  /** Beginning of the next part; null: this is the last one of the store. */
  readonly next: string | null;
}

/** Maximum minutes of all tenants that one page reads, so that it ends in time. */
const maxRead = 20_000;
/** Maximum days of costs that one page reads. */
const maxDays = 31;

/** A tenant's figures of one minute and model. */
function usageOf({ agentId, traffic, power }: MinuteRecord, tenant: string): object[] {
  return traffic.models.flatMap(({ model, tenants = [] }) =>
    tenants
      .filter((each) => each.tenant === tenant)
      .map(({ tenant: _, ...counts }) => {
        const energy = power?.models
          ?.find((each) => each.model === model)
          ?.tenants?.find((each) => each.tenant === tenant);
        return { minuteStartMs: traffic.minuteStartMs, agentId, model, ...counts, energyJ: energy?.energyJ ?? null };
      }),
  );
}

function costOf({ tenant: _, agentId: __, used, offers, ...line }: WorkCosts, span: "day" | "hour", startMs: number) {
  return { span, startMs, ...line, usedUsd: moneyToText(used), offersUsd: moneyToText(offers) };
}

/** Reads all that the controller holds of a tenant, page by page; without other tenants' data, and without secrets. */
export class TenantExport {
  readonly #parts: TenantExportParts;

  constructor(parts: TenantExportParts) {
    this.#parts = parts;
  }

  /**
   * @param after `next` of the page before; empty: from the beginning
   * @throws ServiceError INVALID_REQUEST for one that is no cursor of this store
   */
  async page(tenant: string, store: ExportedStore, after: string, limit: number): Promise<ExportPage> {
    if (!/^[0-9]{0,16}$/.test(after))
      throw new ServiceError("INVALID_REQUEST", `after: expected next of an earlier page, got "${after}"`, {
        details: { param: "after" },
      });
    const { tenants, keys, store: records } = this.#parts;
    switch (store) {
      case "controller.db/tenant":
        return { records: tenants.list().filter(({ id }) => id === tenant), next: null };
      case "controller.db/api_key":
        return { records: keys.list().filter((key) => key.tenant === tenant), next: null };
      case "controller.db/set_aside": {
        const all = await records.setAsideNaming(tenant);
        return { records: all.flatMap((minute) => usageOf(minute, tenant)), next: null };
      }
      case "controller.db/minute":
        return this.#minutes(tenant, Number(after), limit);
      case "controller.db/cost_work":
        return this.#costs(tenant, after === "" ? null : Number(after), limit);
      case "controller.db/audit":
        return this.#audit(tenant, Number(after), limit);
    }
  }

  async #minutes(tenant: string, fromMs: number, limit: number): Promise<ExportPage> {
    const found: object[] = [];
    let read = 0;
    let lastMs = fromMs;
    for await (const minute of this.#parts.store.minutes(fromMs, this.#parts.nowMs() + 1)) {
      const { minuteStartMs } = minute.traffic;
      // A page ends between two times, so that the next one begins at a time.
      if (minuteStartMs > lastMs && (found.length >= limit || read >= maxRead))
        return { records: found, next: String(minuteStartMs) };
      lastMs = minuteStartMs;
      read += 1;
      found.push(...usageOf(minute, tenant));
    }
    return { records: found, next: null };
  }

  /** Costs by day, as far as days are rolled up, and by hour as long as agents' hours are kept. */
  async #costs(tenant: string, fromMs: number | null, limit: number): Promise<ExportPage> {
    const { store, nowMs } = this.#parts;
    const { oldestMs } = await store.rollUps(0, 0);
    const firstMs = fromMs ?? oldestMs;
    if (firstMs === null) return { records: [], next: null };
    const found: object[] = [];
    const endMs = nowMs();
    let startMs = Math.floor(firstMs / dayMs) * dayMs;
    for (let days = 0; startMs <= endMs && days < maxDays && found.length < limit; days += 1, startMs += dayMs) {
      for (const [span, of] of [
        ["day", "fleet"],
        ["hour", "together"],
      ] as const) {
        for (let atMs = startMs; atMs < startMs + dayMs; atMs += span === "day" ? dayMs : hourMs) {
          const lines = await store.workCosts({ span, startMs: atMs, endMs: atMs + hourMs, of });
          found.push(...lines.filter((line) => line.tenant === tenant).map((line) => costOf(line, span, atMs)));
        }
      }
    }
    return { records: found, next: startMs <= endMs ? String(startMs) : null };
  }

  async #audit(tenant: string, afterSeq: number, limit: number): Promise<ExportPage> {
    const entries = await this.#parts.store.auditEntries(afterSeq, limit);
    const last = entries.at(-1);
    const about = entries.filter(
      ({ entry }) => entry?.target === tenant || JSON.stringify(entry).includes(`"tenant":"${tenant}"`),
    );
    return { records: about, next: last === undefined || entries.length < limit ? null : String(last.seq) };
  }
}
