import { minuteMs } from "#platform/time.ts";
import type { FigureName, Figures } from "./figure.ts";

/** Figures that are kept for each minute. */
export const keptFigures = [
  "serving",
  "textsPerS",
  "capacityTextsPerS",
  "forecastPeakTextsPerS",
  "forecastPeak95TextsPerS",
  "p95Ms",
  "refusedQueuePerS",
  "refusedDeadlinePerS",
  "refusedErrorPerS",
  "refusedRateLimitPerS",
  "watts",
  "usdPerHour",
] as const satisfies readonly FigureName[];

/** Minutes that are kept. */
export const maxHistoryMinutes = 24 * 60;

interface KeptMinute {
  readonly minuteMs: number;
  readonly values: readonly (number | null)[];
}

/** Past figures as columns: null where one was unknown or stale. */
export interface PastFigures {
  readonly minutes: number[];
  readonly figures: Readonly<Record<(typeof keptFigures)[number], readonly (number | null)[]>>;
}

/** The fleet's figures of the newest day, in memory: a controller that is started anew begins anew. */
export class FleetHistory {
  #kept: KeptMinute[] = [];

  /** Keeps figures as those of the minute that ended last. */
  take(figures: Figures, nowMs: number): void {
    const startMs = Math.floor(nowMs / minuteMs) * minuteMs - minuteMs;
    const values = keptFigures.map((name) => (figures[name].stale ? null : figures[name].value));
    // After a clock that was set back, later minutes are of a time that has not come.
    const before = this.#kept.filter((kept) => kept.minuteMs < startMs);
    this.#kept = [...before, { minuteMs: startMs, values }].slice(-maxHistoryMinutes);
  }

  /** Figures of the minutes that began at or after a time, oldest first. */
  since(fromMs: number): PastFigures {
    const kept = this.#kept.filter((each) => each.minuteMs >= fromMs);
    const column = (index: number) => kept.map(({ values }) => values[index] ?? null);
    return {
      minutes: kept.map((each) => each.minuteMs),
      figures: Object.fromEntries(
        keptFigures.map((name, index) => [name, column(index)]),
      ) as unknown as PastFigures["figures"],
    };
  }
}
