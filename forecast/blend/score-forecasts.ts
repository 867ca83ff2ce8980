import type { ModelScore } from "./decide-champion.ts";

/** What each model said at one moment. */
export interface MadeForecasts {
  /** The start of the first step that was forecast. */
  readonly endMs: number;
  /** The newest rate then known. */
  readonly lastValueQps: number;
  readonly byModel: ReadonlyMap<string, readonly number[]>;
}

export interface ForecastScores {
  /** Remembers forecasts until their time has come; a second set for the same moment is left out. */
  add(forecasts: MadeForecasts): void;
  /**
   * Compares all whose last step has ended with what came. Steps that nobody counted are left out.
   * @param rateAt the rate in the step that starts at a time; null or undefined where nobody counted.
   */
  settle(endMs: number, rateAt: (stepStartMs: number) => number | null | undefined): void;
  scores(): ModelScore[];
  /** Takes over the scores of an earlier run; those of models that were scored here already stay. */
  restore(earlier: readonly ModelScore[]): void;
  /** Forgets a model's score, and what it said of times to come: another one bears its name from now on. */
  forget(name: string): void;
}

/** After so long a comparison weighs half as much, unless told otherwise. */
const defaultHalfLifeMs = 6 * 3_600_000;
/** Forecasts whose time never comes (a clock set back) are dropped. */
const maxPending = 64;

/** Scores of models by their own past forecasts: each counts only with what it said beforehand. */
export function createForecastScores(stepMs: number, halfLifeMs = defaultHalfLifeMs): ForecastScores {
  let settledMs: number | null = null;
  const scores = new Map<string, { -readonly [Key in keyof ModelScore]: ModelScore[Key] }>();
  let pending: MadeForecasts[] = [];

  const settleOne = (
    { endMs, lastValueQps, byModel }: MadeForecasts,
    rateAt: Parameters<ForecastScores["settle"]>[1],
  ) => {
    const decay = settledMs === null ? 1 : 0.5 ** (Math.max(0, endMs - settledMs) / halfLifeMs);
    settledMs = endMs;
    for (const [name, forecast] of byModel) {
      let score = scores.get(name);
      if (score === undefined) {
        score = { name, forecasts: 0, absoluteError: 0, lastValueError: 0, actual: 0 };
        scores.set(name, score);
      }
      let absoluteError = 0;
      let lastValueError = 0;
      let actual = 0;
      let counted = 0;
      for (const [step, qps] of forecast.entries()) {
        const rate = rateAt(endMs + step * stepMs);
        if (rate === null || rate === undefined) continue;
        counted += 1;
        absoluteError += Math.abs(qps - rate);
        lastValueError += Math.abs(lastValueQps - rate);
        actual += rate;
      }
      if (counted === 0) continue;
      score.forecasts += 1;
      score.absoluteError = score.absoluteError * decay + absoluteError;
      score.lastValueError = score.lastValueError * decay + lastValueError;
      score.actual = score.actual * decay + actual;
    }
  };

  return {
    add(forecasts) {
      if (pending.some(({ endMs }) => endMs === forecasts.endMs)) return;
      pending.push(forecasts);
      if (pending.length > maxPending) pending.shift();
    },
    settle(endMs, rateAt) {
      const due = (made: MadeForecasts) =>
        Math.max(...[...made.byModel.values()].map(({ length }) => length), 0) * stepMs + made.endMs <= endMs;
      for (const made of pending) if (due(made)) settleOne(made, rateAt);
      pending = pending.filter((made) => !due(made));
    },
    scores: () => [...scores.values()].map((score) => ({ ...score })),
    restore(earlier) {
      for (const score of earlier) if (!scores.has(score.name)) scores.set(score.name, { ...score });
    },
    forget(name) {
      scores.delete(name);
      pending = pending.map((made) => ({
        ...made,
        byModel: new Map([...made.byModel].filter(([one]) => one !== name)),
      }));
    },
  };
}
