import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { conformalFactor } from "#forecast/judge/quantile-measures.ts";
import type { StateDatabase } from "#platform/files/open-database.ts";
import { type StorageWatch, strictStorage } from "#platform/files/storage-watch.ts";
import { amount, bounds, TimeMs, text } from "#protocol/bounds.ts";
import { decodeValue } from "#protocol/codec.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";
import { decideForecastOutcome, type MadeForecast, type RiseOutcome } from "./decide-forecast-outcome.ts";
import { type ScoredForecast, summarizeAccuracy } from "./summarize-accuracy.ts";

/** Tells what the forecasts that this agent made were worth. What it knows outlives the process. */
export interface LiveAccuracy {
  /**
   * Scores the forecasts whose time has come, and remembers a new one.
   * @param history the minutes that are known, one a minute, oldest first, ending with the newest complete one.
   */
  observe(report: ForecastReport, history: readonly MinuteRate[]): void;
  /** The figures of the forecasts whose time came within `windowMs` before `nowMs`. */
  figures(windowMs: number, nowMs: number): ForecastAccuracy;
  /** Forgets what was foretold before `beforeMs`. */
  prune(beforeMs: number): void;
}

const minuteMs = 60_000;
/** A scaler had sized for about the mean of so many minutes. */
const levelMinutes = 5;
/** Head-room is learnt from so many forecasts: a day. A quantile of 0.95 needs 20 at the very least. */
const headroomForecasts = 1_440;
const minForHeadroom = 60;

const FiniteAmount = amount(1e15);
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A forecast that waits for what comes. */
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

/** One that was compared with what came. */
const ComparedRow = Type.Object({
  startMs: TimeMs,
  model: text(64),
  absoluteError: FiniteAmount,
  signedError: Type.Number({ minimum: -1e15, maximum: 1e15 }),
  actual: FiniteAmount,
  peakForecastQps: FiniteAmount,
  peakActualQps: FiniteAmount,
  covered: orNull(Type.Integer({ minimum: 0, maximum: 1 })),
  rise: Type.Union((["hit", "miss", "false-alarm", "quiet"] as const).map((rise) => Type.Literal(rise))),
  onsetMs: orNull(TimeMs),
});

function parseSteps(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

interface ScoredRow extends Omit<ScoredForecast, "covered" | "rise"> {
  readonly covered: number | null;
  readonly rise: RiseOutcome;
}

/**
 * @param database the agent's state file; it has the table `forecast_made`.
 * @param onUnreadable is told of rows that are not what this wrote; they are removed, as what they say is soon learnt anew.
 */
export function createLiveAccuracy(
  database: StateDatabase,
  storage: StorageWatch = strictStorage,
  onUnreadable: (key: string, reason: string) => void = () => undefined,
): LiveAccuracy {
  const insert = database.query(
    `INSERT OR REPLACE INTO forecast_made (start_ms, made_at_ms, model, step_ms, level_qps, qps, peak_forecast_qps, upper_peak_qps)
     VALUES ($startMs, $madeAtMs, $model, $stepMs, $levelQps, $qps, $peakQps, $upperPeakQps)`,
  );
  const selectDue = database.query<Omit<MadeForecast, "qps"> & { qps: string }, [number]>(
    `SELECT start_ms AS startMs, made_at_ms AS madeAtMs, model, step_ms AS stepMs, level_qps AS levelQps, qps,
            peak_forecast_qps AS peakQps, upper_peak_qps AS upperPeakQps
     FROM forecast_made WHERE qps IS NOT NULL AND start_ms < ? ORDER BY start_ms`,
  );
  // The steps are no longer needed once their sums are known.
  const writeScore = database.query(
    `UPDATE forecast_made SET qps = NULL, absolute_error = $absoluteError, signed_error = $signedError, actual = $actual,
       peak_actual_qps = $peakActualQps, covered = $covered, rise = $rise, onset_ms = $onsetMs
     WHERE start_ms = $startMs`,
  );
  const discard = database.query(`DELETE FROM forecast_made WHERE start_ms = ?`);
  const selectScored = database.query<ScoredRow, [number, number]>(
    `SELECT start_ms AS startMs, model, absolute_error AS absoluteError, signed_error AS signedError, actual,
            peak_forecast_qps AS peakForecastQps, peak_actual_qps AS peakActualQps, covered, rise, onset_ms AS onsetMs
     FROM forecast_made WHERE rise IS NOT NULL AND start_ms >= ? AND start_ms < ? ORDER BY start_ms`,
  );
  const selectPeaks = database.query<{ said: number; came: number }, [number]>(
    `SELECT peak_forecast_qps AS said, peak_actual_qps AS came FROM forecast_made
     WHERE rise IS NOT NULL AND peak_forecast_qps BETWEEN 0 AND 1e15 AND peak_actual_qps BETWEEN 0 AND 1e15
     ORDER BY start_ms DESC LIMIT ?`,
  );
  const deleteBefore = database.query(`DELETE FROM forecast_made WHERE start_ms < ?`);

  /** Forecasts that are not on disk yet, in order: those of a day at most. */
  let unwritten: Parameters<typeof insert.run>[0][] = [];
  const flush = () => {
    if (unwritten.length === 0) return;
    const written = storage.attempt(
      "writing forecasts",
      database.transaction(() => {
        for (const made of unwritten) insert.run(made);
        return true;
      }),
      false,
    );
    unwritten = written ? [] : unwritten.slice(-headroomForecasts);
  };
  storage.keep({ flush, waiting: () => ({ records: unwritten.length, bytes: 500 * unwritten.length }) });

  /** The row as `schema` has it; null when it is not, and then it is gone. */
  const read = <T extends TSchema>(schema: T, row: { readonly startMs: number }): Static<T> | null => {
    const decoded = decodeValue(schema, row);
    if (decoded.ok) return decoded.message;
    storage.attempt("removing a forecast", () => discard.run(row.startMs), null);
    onUnreadable(String(row.startMs), decoded.reason);
    return null;
  };

  const settle = (history: readonly MinuteRate[], endMs: number) => {
    const byStart = new Map(history.map(({ minuteStartMs, qps }) => [minuteStartMs, qps]));
    for (const stored of selectDue.all(endMs)) {
      const row = read(MadeRow, { ...stored, qps: parseSteps(stored.qps) } as typeof stored);
      if (row === null) continue;
      const { qps } = row;
      if (row.startMs + qps.length * row.stepMs > endMs) continue;
      const actual = qps.map((_, step) => byStart.get(row.startMs + step * row.stepMs) ?? null);
      const outcome = decideForecastOutcome({ ...row, qps }, actual);
      if (outcome === null) {
        discard.run(row.startMs);
        continue;
      }
      writeScore.run({
        startMs: row.startMs,
        absoluteError: outcome.absoluteError,
        signedError: outcome.signedError,
        actual: outcome.actual,
        peakActualQps: outcome.peakActualQps,
        covered: outcome.covered === null ? null : Number(outcome.covered),
        rise: outcome.rise,
        onsetMs: outcome.onsetMs,
      });
    }
  };

  /** The peak's 0.95 quantile where the forecast has none of its own: by what the newest peaks needed. */
  const learntUpperPeak = (peakQps: number): number | null => {
    const peaks = selectPeaks.all(headroomForecasts);
    if (peaks.length < minForHeadroom) return null;
    const came = peaks.map((peak) => peak.came);
    const said = peaks.map((peak) => peak.said);
    return peakQps * conformalFactor(came, said, 0.95);
  };

  return {
    observe(report, history) {
      const newest = history.at(-1);
      if (newest === undefined) return;
      const startMs = newest.minuteStartMs + minuteMs;
      // What can't be scored now is due again the next time.
      storage.attempt(
        "scoring forecasts",
        database.transaction(() => settle(history, startMs)),
        null,
      );
      const known = history.slice(-levelMinutes).flatMap(({ qps }) => (qps === null ? [] : [qps]));
      if (known.length > 0) {
        const peakQps = report.peakQps?.q50 ?? Math.max(...report.qps);
        const learntPeak = () => storage.attempt("reading forecasts", () => learntUpperPeak(peakQps), null);
        unwritten.push({
          startMs,
          madeAtMs: report.madeAtMs,
          model: report.model,
          stepMs: report.stepMs,
          levelQps: known.reduce((sum, rate) => sum + rate, 0) / known.length,
          qps: JSON.stringify(report.qps),
          peakQps,
          upperPeakQps: report.peakQps?.q95 ?? learntPeak(),
        });
      }
      flush();
    },
    figures(windowMs, nowMs) {
      const scored = storage
        .attempt("reading forecasts", () => selectScored.all(nowMs - windowMs, nowMs), [])
        .flatMap((row) => (read(ComparedRow, row) as ScoredRow | null) ?? [])
        .map((row) => ({ ...row, covered: row.covered === null ? null : row.covered === 1 }));
      return summarizeAccuracy(scored, windowMs);
    },
    prune(beforeMs) {
      storage.attempt("deleting forecasts", () => deleteBefore.run(beforeMs), null);
    },
  };
}
