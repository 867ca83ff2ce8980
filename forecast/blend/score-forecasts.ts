import type { RateAt } from "#forecast/simple/rate-model.ts";
import { hourMs } from "#platform/time.ts";
import type { ModelScore } from "./decide-champion.ts";

/** Forecasts of all models at one moment. */
export interface MadeForecasts {
  /** Start of the first forecast step. */
  readonly endMs: number;
  /** Newest rate known at that moment. */
  readonly lastValueQps: number;
  readonly byModel: ReadonlyMap<string, readonly number[]>;
}

/** Scores of models by their past forecasts, each made before the rates it is compared with. */
export interface ForecastScores {
  /** Keeps forecasts until they can be compared; a second set for the same moment is ignored. */
  add(forecasts: MadeForecasts): void;
  /** Compares all forecasts whose last step has ended with the actual rates, leaving out steps that were not counted. */
  settle(endMs: number, rateAt: RateAt): void;
  scores(): ModelScore[];
  /** Takes over the scores of an earlier run; models that already have a score keep it. */
  restore(earlier: readonly ModelScore[]): void;
  /** Forgets a model's score and its pending forecasts: another model bears its name from now on. */
  forget(name: string): void;
}

/** Age at which a comparison weighs half as much. */
const defaultHalfLifeMs = 6 * hourMs;
/** Forecasts whose time never comes (a clock set back) are dropped. */
const maxPending = 64;

export function createForecastScores(stepMs: number, halfLifeMs = defaultHalfLifeMs): ForecastScores {
  let settledMs: number | null = null;
  const scores = new Map<string, { -readonly [Key in keyof ModelScore]: ModelScore[Key] }>();
  let pending: MadeForecasts[] = [];

  const settleOne = ({ endMs, lastValueQps, byModel }: MadeForecasts, rateAt: RateAt) => {
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
      pending = pending.map((made) => ({ ...made, byModel: without(made.byModel, name) }));
    },
  };
}

/** The same forecasts but those of one model. */
export function without<T>(byModel: ReadonlyMap<string, T>, ...names: readonly string[]): Map<string, T> {
  return new Map([...byModel].filter(([name]) => !names.includes(name)));
}
