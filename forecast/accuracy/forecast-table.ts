import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { StateDatabase } from "#platform/files/open-database.ts";
import type { StorageWatch } from "#platform/files/storage-watch.ts";
import { literals, orNull } from "#platform/schema-parts.ts";
import { amount, bounds, TimeMs, text } from "#protocol/bounds.ts";
import { decodeValue } from "#protocol/codec.ts";
import type { ForecastOutcome, MadeForecast } from "./decide-forecast-outcome.ts";
import type { ScoredForecast } from "./summarize-accuracy.ts";

/** Creates the table of forecasts and their outcomes; a migration, never to be edited. */
export const forecastMadeTable = `CREATE TABLE forecast_made (
     start_ms INTEGER PRIMARY KEY,   -- of the first step that was forecast
     made_at_ms INTEGER NOT NULL,
     model TEXT NOT NULL,
     step_ms INTEGER NOT NULL,
     level_qps REAL NOT NULL,
     qps TEXT,                       -- JSON, a number a step; NULL once it was compared with what came
     upper_peak_qps REAL,
     absolute_error REAL,
     signed_error REAL,
     actual REAL,
     peak_forecast_qps REAL,
     peak_actual_qps REAL,
     covered INTEGER,
     rise TEXT,                      -- NULL until it was compared
     onset_ms INTEGER
   ) STRICT;
   CREATE INDEX forecast_made_pending ON forecast_made (start_ms) WHERE qps IS NOT NULL;`;

const FiniteAmount = amount(1e15);

/** A forecast that is not compared yet. */
const MadeRow = Type.Object({
  startMs: TimeMs,
  madeAtMs: TimeMs,
  model: text(64),
  stepMs: Type.Integer({ minimum: 1, maximum: bounds.durationMs }),
  levelQps: FiniteAmount,
  qps: Type.Array(FiniteAmount, { minItems: 1, maxItems: 240 }),
  peakQps: FiniteAmount,
  upperPeakQps: orNull(FiniteAmount),
});

/** A forecast that was compared with the actual rates. */
const ComparedRow = Type.Object({
  startMs: TimeMs,
  model: text(64),
  absoluteError: FiniteAmount,
  signedError: Type.Number({ minimum: -1e15, maximum: 1e15 }),
  actual: FiniteAmount,
  peakForecastQps: FiniteAmount,
  peakActualQps: FiniteAmount,
  covered: orNull(Type.Integer({ minimum: 0, maximum: 1 })),
  rise: literals("hit", "miss", "false-alarm", "quiet"),
  onsetMs: orNull(TimeMs),
});

/** Peak of a forecast beside the one that came. */
const PeakRow = Type.Object({
  startMs: TimeMs,
  model: text(64),
  forecastQps: FiniteAmount,
  upperQps: orNull(FiniteAmount),
  actualQps: FiniteAmount,
  covered: orNull(Type.Integer({ minimum: 0, maximum: 1 })),
});
export type ForecastPeak = Readonly<Omit<Static<typeof PeakRow>, "covered">> & { readonly covered: boolean | null };

type StoredForecast = Omit<MadeForecast, "qps"> & { readonly qps: string };
type StoredScore = Omit<ScoredForecast, "covered"> & { readonly covered: number | null };

function parseSteps(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function prepareQueries(database: StateDatabase) {
  return {
    insert: database.query(
      `INSERT OR REPLACE INTO forecast_made (start_ms, made_at_ms, model, step_ms, level_qps, qps, peak_forecast_qps, upper_peak_qps)
       VALUES ($startMs, $madeAtMs, $model, $stepMs, $levelQps, $qps, $peakQps, $upperPeakQps)`,
    ),
    selectDue: database.query<StoredForecast, [number]>(
      `SELECT start_ms AS startMs, made_at_ms AS madeAtMs, model, step_ms AS stepMs, level_qps AS levelQps, qps,
              peak_forecast_qps AS peakQps, upper_peak_qps AS upperPeakQps
       FROM forecast_made WHERE qps IS NOT NULL AND start_ms < ? ORDER BY start_ms`,
    ),
    // The steps are no longer needed once their sums are known.
    score: database.query(
      `UPDATE forecast_made SET qps = NULL, absolute_error = $absoluteError, signed_error = $signedError, actual = $actual,
         peak_actual_qps = $peakActualQps, covered = $covered, rise = $rise, onset_ms = $onsetMs
       WHERE start_ms = $startMs`,
    ),
    remove: database.query("DELETE FROM forecast_made WHERE start_ms = ?"),
    selectScored: database.query<StoredScore, [number, number]>(
      `SELECT start_ms AS startMs, model, absolute_error AS absoluteError, signed_error AS signedError, actual,
              peak_forecast_qps AS peakForecastQps, peak_actual_qps AS peakActualQps, covered, rise, onset_ms AS onsetMs
       FROM forecast_made WHERE rise IS NOT NULL AND start_ms >= ? AND start_ms < ? ORDER BY start_ms`,
    ),
    selectPeaks: database.query<{ forecast: number; actual: number }, [number]>(
      `SELECT peak_forecast_qps AS forecast, peak_actual_qps AS actual FROM forecast_made
       WHERE rise IS NOT NULL AND peak_forecast_qps BETWEEN 0 AND 1e15 AND peak_actual_qps BETWEEN 0 AND 1e15
       ORDER BY start_ms DESC LIMIT ?`,
    ),
    selectPeaksOf: database.query<Static<typeof PeakRow>, [number, number]>(
      `SELECT start_ms AS startMs, model, peak_forecast_qps AS forecastQps, upper_peak_qps AS upperQps,
              peak_actual_qps AS actualQps, covered
       FROM forecast_made WHERE rise IS NOT NULL AND start_ms >= ? AND start_ms < ? ORDER BY start_ms`,
    ),
    removeBefore: database.query("DELETE FROM forecast_made WHERE start_ms < ?"),
  };
}

/** Forecasts and their outcomes in the database; rows that this program can't have written are removed and reported. */
export class ForecastTable {
  readonly #database: StateDatabase;
  readonly #storage: StorageWatch;
  readonly #onUnreadable: (key: string, reason: string) => void;
  readonly #queries: ReturnType<typeof prepareQueries>;

  constructor(database: StateDatabase, storage: StorageWatch, onUnreadable: (key: string, reason: string) => void) {
    this.#database = database;
    this.#storage = storage;
    this.#onUnreadable = onUnreadable;
    this.#queries = prepareQueries(database);
  }

  /** Runs several writes as one transaction. */
  transaction<Result>(write: () => Result): Result {
    return this.#database.transaction(write)();
  }

  add(made: MadeForecast): void {
    this.#queries.insert.run({ ...made, qps: JSON.stringify(made.qps) });
  }

  /** Returns the forecasts that began before a time and are not scored yet, oldest first. */
  unscored(beforeMs: number): MadeForecast[] {
    return this.#queries.selectDue
      .all(beforeMs)
      .flatMap((row) => this.#read(MadeRow, { ...row, qps: parseSteps(row.qps) }) ?? []);
  }

  score(startMs: number, outcome: ForecastOutcome): void {
    const { absoluteError, signedError, actual, peakActualQps, rise, onsetMs } = outcome;
    const covered = outcome.covered === null ? null : Number(outcome.covered);
    this.#queries.score.run({
      startMs,
      absoluteError,
      signedError,
      actual,
      peakActualQps,
      covered,
      rise,
      onsetMs,
    });
  }

  remove(startMs: number): void {
    this.#queries.remove.run(startMs);
  }

  removeBefore(beforeMs: number): void {
    this.#queries.removeBefore.run(beforeMs);
  }

  /** Returns the scored forecasts that began in a time, oldest first. */
  scored(fromMs: number, toMs: number): ScoredForecast[] {
    return this.#storage
      .attempt("reading forecasts", () => this.#queries.selectScored.all(fromMs, toMs), [])
      .flatMap((row) => this.#read(ComparedRow, row) ?? [])
      .map((row) => ({ ...row, covered: row.covered === null ? null : row.covered === 1 }));
  }

  /** Returns the newest peaks, forecast and actual. */
  peaks(count: number): { readonly forecast: number; readonly actual: number }[] {
    return this.#queries.selectPeaks.all(count);
  }

  /** Returns the peaks of the scored forecasts that began in a time, oldest first. */
  peaksOf(fromMs: number, toMs: number): ForecastPeak[] {
    return this.#storage
      .attempt("reading forecasts", () => this.#queries.selectPeaksOf.all(fromMs, toMs), [])
      .flatMap((row) => this.#read(PeakRow, row) ?? [])
      .map((row) => ({ ...row, covered: row.covered === null ? null : row.covered === 1 }));
  }

  #read<T extends TSchema>(
    schema: T,
    row: Readonly<Record<string, unknown>> & { readonly startMs: number },
  ): Static<T> | null {
    const decoded = decodeValue(schema, row);
    if (decoded.ok) return decoded.message;
    this.#storage.attempt("removing a forecast", () => this.remove(row.startMs), undefined);
    this.#onUnreadable(String(row.startMs), decoded.reason);
    return null;
  }
}
