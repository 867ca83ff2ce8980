import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { secondMs } from "#platform/time.ts";
import type { IngestCounts } from "./fleet/ingest-counts.ts";
import type { Store } from "./store/store.ts";

export interface StoreWatchParts {
  readonly store: Pick<Store, "fault">;
  readonly counts: Pick<IngestCounts, "totals">;
  /** Tells the fleet that records can be stored again. */
  readonly announce: () => Promise<void>;
  readonly log: Logger;
  readonly eachMs?: number;
}

/**
 * Watches for a store's server that is back after minutes could not be stored. Their agents would wait before they send them again, the longer the
 * server was away; told of it, they send them at once.
 */
export class StoreWatch {
  readonly #parts: StoreWatchParts;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Minutes that were not stored when agents were told last. */
  #told = 0;
  #isTelling = false;

  constructor(parts: StoreWatchParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#look(), parts.eachMs ?? secondMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { store, counts, announce, log } = this.#parts;
    const { unstored } = counts.totals();
    if (this.#isTelling || unstored === this.#told || store.fault() !== null) return;
    this.#isTelling = true;
    try {
      await announce();
      this.#told = unstored;
      log.info("records can be stored again: agents send what was not");
    } catch (error) {
      log.debug({ err: describeError(error) }, "telling that records can be stored again failed; it is tried again");
    } finally {
      this.#isTelling = false;
    }
  }
}
