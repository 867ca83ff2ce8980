import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import type { FleetMinute, MinuteStore } from "../../store/store.ts";
import { type FleetTraffic, keptMinutes } from "./fleet-traffic.ts";

export interface TrafficRecoveryParts {
  readonly store: Pick<MinuteStore, "fleetMinutes">;
  readonly traffic: FleetTraffic;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Real time that the start may take for it; the rest comes while the controller works. */
  readonly budgetMs?: number;
  /** Pause after a store has failed. */
  readonly againMs?: number;
}

/** Minutes of the first question; an hour of ten thousand agents is 600,000 rows to add up. */
const firstMinutes = 30;
/** A question that took less is followed by one for twice as long. */
const quickMs = 100;
/** Pause between questions in the background, by the time of the last one: they leave most of a core and of a server to others. */
const pauseShare = 3;

/** Texts of each whole minute: agents on scaled clocks begin theirs anywhere. */
function byMinute(rows: readonly FleetMinute[]): Map<number, number> {
  const texts = new Map<number, number>();
  for (const row of rows) {
    const startMs = Math.floor(row.minuteStartMs / minuteMs) * minuteMs;
    texts.set(startMs, (texts.get(startMs) ?? 0) + row.texts);
  }
  return texts;
}

/**
 * Reads the fleet's newest week from the store, newest first and in pieces: a large fleet's is a hundred million rows, for which neither a start nor
 * the controller that takes over can wait.
 */
export class TrafficRecovery {
  readonly #parts: TrafficRecoveryParts;
  /** Stretch that is left to read: [from, before). */
  #fromMs = 0;
  #beforeMs = 0;
  #minutes = firstMinutes;
  #isStopped = false;
  #rest: Promise<void> = Promise.resolve();
  #wake = Promise.withResolvers<void>();

  constructor(parts: TrafficRecoveryParts) {
    this.#parts = parts;
  }

  /** Reads all, or as much as time allows and the rest in the background. */
  async begin(): Promise<void> {
    const { traffic, nowMs, budgetMs = 2 * secondMs } = this.#parts;
    const minuteStartMs = Math.floor(nowMs() / minuteMs) * minuteMs;
    this.#beforeMs = minuteStartMs + minuteMs;
    this.#fromMs = minuteStartMs - keptMinutes * minuteMs;
    traffic.isWhole = false;
    const startedMs = performance.now();
    while (!traffic.isWhole) {
      if (performance.now() - startedMs >= budgetMs) {
        this.#rest = this.#finish();
        return;
      }
      await this.#readPiece();
    }
  }

  /** Ends what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake.resolve();
    await this.#rest;
  }

  async #readPiece(): Promise<number> {
    const { store, traffic } = this.#parts;
    const startedMs = performance.now();
    const startMs = Math.max(this.#fromMs, this.#beforeMs - this.#minutes * minuteMs);
    const rows = byMinute(await store.fleetMinutes(startMs, this.#beforeMs));
    // What came late since the start is on record, too.
    for (const [minuteStartMs, texts] of rows) traffic.put(minuteStartMs, texts);
    this.#beforeMs = startMs;
    traffic.isWhole = startMs <= this.#fromMs;
    const tookMs = performance.now() - startedMs;
    this.#minutes = tookMs < quickMs ? 2 * this.#minutes : Math.max(1, Math.floor(this.#minutes / 2));
    return tookMs;
  }

  async #finish(): Promise<void> {
    const { traffic, log, againMs = 30 * secondMs } = this.#parts;
    log.info("the fleet's traffic of the last week is read in the background");
    while (!traffic.isWhole && !this.#isStopped) {
      let pauseMs = againMs;
      try {
        pauseMs = pauseShare * (await this.#readPiece());
      } catch (error) {
        if (this.#isStopped) return;
        log.warn({ err: describeError(error) }, "reading the fleet's traffic failed; it is tried again");
      }
      await Promise.race([Bun.sleep(pauseMs), this.#wake.promise]);
    }
    if (traffic.isWhole) log.info("the fleet's traffic of the last week is known");
  }
}
