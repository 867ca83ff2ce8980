import type { SloConfig } from "#controller/scaling/slo/slo-config.ts";
import type { ServiceStore } from "#controller/store/store.ts";
import { dayMs, hourMs, secondMs } from "#platform/time.ts";
import { reportSlo, type SloRow } from "./slo-report.ts";

const windows = {
  "1h": { step: "five-minutes", lengthMs: hourMs },
  "24h": { step: "five-minutes", lengthMs: dayMs },
  "30d": { step: "hour", lengthMs: 30 * dayMs },
} as const;
/** Time for which a report is given again: minutes come no faster, and a month of sums takes a while to read. */
const freshMs = 30 * secondMs;

/** Reports of the service level, read from the store at most twice a minute. */
export class SloReports {
  readonly #store: Pick<ServiceStore, "service">;
  readonly #config: SloConfig;
  readonly #nowMs: () => number;
  #latest: { readonly atMs: number; readonly rows: Promise<SloRow[]> } | null = null;

  constructor(store: Pick<ServiceStore, "service">, config: SloConfig, nowMs: () => number) {
    this.#store = store;
    this.#config = config;
    this.#nowMs = nowMs;
  }

  rows(): Promise<SloRow[]> {
    const atMs = this.#nowMs();
    if (this.#latest === null || Math.abs(atMs - this.#latest.atMs) >= freshMs) {
      const rows = this.#read(atMs);
      this.#latest = { atMs, rows };
      // What can't be read is not kept.
      rows.catch(() => {
        this.#latest = null;
      });
    }
    return this.#latest.rows;
  }

  async #read(atMs: number): Promise<SloRow[]> {
    const rows: SloRow[] = [];
    for (const [window, { step, lengthMs }] of Object.entries(windows)) {
      const sums = await this.#store.service(step, atMs - lengthMs);
      rows.push(...reportSlo(window as keyof typeof windows, sums, this.#config));
    }
    return rows;
  }
}
