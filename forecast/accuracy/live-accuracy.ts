import type { MinuteRate } from "#forecast/forecaster.ts";
import { conformalFactor } from "#forecast/judge/quantile-measures.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { minuteMs } from "#platform/time.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";
import { decideForecastOutcome, type MadeForecast } from "./decide-forecast-outcome.ts";
import { type ForecastPeak, ForecastTable } from "./forecast-table.ts";
import { summarizeAccuracy } from "./summarize-accuracy.ts";

/** Minutes of which the mean is the level that a scaler had sized for. */
const levelMinutes = 5;
/** Forecasts that headroom is learnt from: a day; a quantile of 0.95 needs 20 at the very least. */
const headroomForecasts = 1_440;
const minForHeadroom = 60;
const bytesPerForecast = 500;

/** Accuracy of the forecasts as they are made. */
export interface LiveAccuracy {
  /**
   * Scores the forecasts whose time is over, and keeps a new one.
   * @param history the known minutes, oldest first, one a minute, ending with the newest complete one.
   */
  observe(report: ForecastReport, history: readonly MinuteRate[]): void;
  /** Summarizes the forecasts that began within `windowMs` before `nowMs`. */
  figures(windowMs: number, nowMs: number): ForecastAccuracy;
  /** Lists the peaks of the forecasts that began in [fromMs, toMs) and are scored, oldest first. */
  peaks(fromMs: number, toMs: number): readonly ForecastPeak[];
  /** Deletes forecasts that began before `beforeMs`. */
  prune(beforeMs: number): void;
}

/** Compares forecasts with the actual rates and keeps the figures in the database. */
export class StoredAccuracy implements LiveAccuracy {
  readonly #table: ForecastTable;
  readonly #storage: StorageWatch;
  /** Forecasts that are not on disk yet, in order; a day of them at most. */
  #unwritten: MadeForecast[] = [];

  /**
   * @param database has the table `forecast_made`.
   * @param onUnreadable called for rows that this program can't have written; they are removed, as their figures are soon learnt anew.
   */
  constructor(
    database: StateDatabase,
    storage: StorageWatch = strictStorage,
    onUnreadable: (key: string, reason: string) => void = () => undefined,
  ) {
    this.#table = new ForecastTable(database, storage, onUnreadable);
    this.#storage = storage;
    storage.keep({
      flush: () => this.#flush(),
      waiting: () => ({ records: this.#unwritten.length, bytes: bytesPerForecast * this.#unwritten.length }),
    });
  }

  observe(report: ForecastReport, history: readonly MinuteRate[]): void {
    const newest = history.at(-1);
    if (newest === undefined) return;
    const startMs = newest.minuteStartMs + minuteMs;
    // Forecasts that can't be scored now are due again the next time.
    this.#storage.attempt(
      "scoring forecasts",
      () => this.#table.transaction(() => this.#settle(history, startMs)),
      undefined,
    );
    const level = history.slice(-levelMinutes).flatMap(({ qps }) => (qps === null ? [] : [qps]));
    if (level.length > 0) {
      const peakQps = report.peakQps?.q50 ?? Math.max(...report.qps);
      this.#unwritten.push({
        startMs,
        madeAtMs: report.madeAtMs,
        model: report.model,
        stepMs: report.stepMs,
        levelQps: level.reduce((sum, rate) => sum + rate, 0) / level.length,
        qps: report.qps,
        peakQps,
        upperPeakQps: report.peakQps?.q95 ?? this.#learntUpperPeak(peakQps),
      });
    }
    this.#flush();
  }

  figures(windowMs: number, nowMs: number): ForecastAccuracy {
    return summarizeAccuracy(this.#table.scored(nowMs - windowMs, nowMs), windowMs);
  }

  peaks(fromMs: number, toMs: number): readonly ForecastPeak[] {
    return this.#table.peaksOf(fromMs, toMs);
  }

  prune(beforeMs: number): void {
    this.#storage.attempt("deleting forecasts", () => this.#table.removeBefore(beforeMs), undefined);
  }

  #settle(history: readonly MinuteRate[], endMs: number): void {
    const byStart = new Map(history.map(({ minuteStartMs, qps }) => [minuteStartMs, qps]));
    for (const made of this.#table.unscored(endMs)) {
      if (made.startMs + made.qps.length * made.stepMs > endMs) continue;
      const actual = made.qps.map((_, step) => byStart.get(made.startMs + step * made.stepMs) ?? null);
      const outcome = decideForecastOutcome(made, actual);
      if (outcome === null) this.#table.remove(made.startMs);
      else this.#table.score(made.startMs, outcome);
    }
  }

  /** 0.95 quantile of a peak whose forecast has none, from the newest peaks' ratios of actual to forecast. */
  #learntUpperPeak(peakQps: number): number | null {
    const peaks = this.#storage.attempt("reading forecasts", () => this.#table.peaks(headroomForecasts), []);
    if (peaks.length < minForHeadroom) return null;
    const actual = peaks.map((peak) => peak.actual);
    const forecast = peaks.map((peak) => peak.forecast);
    return peakQps * conformalFactor(actual, forecast, 0.95);
  }

  #flush(): void {
    if (this.#unwritten.length === 0) return;
    const write = () => {
      for (const made of this.#unwritten) this.#table.add(made);
      return true;
    };
    const written = this.#storage.attempt("writing forecasts", () => this.#table.transaction(write), false);
    this.#unwritten = written ? [] : this.#unwritten.slice(-headroomForecasts);
  }
}
