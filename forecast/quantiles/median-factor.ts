/** Turns the mean of forecasts into their median. */
export interface MedianFactor {
  /** What was forecast, step by step, and what came; null where nobody counted. */
  observe(forecast: readonly number[], actual: readonly (number | null)[]): void;
  /** By what a forecast is to be multiplied. */
  factor(): number;
}

/** Learnt from so many of the newest forecasts, from this many on, anew after every so many. */
const maxForecasts = 400;
const minForecasts = 100;
const relearnForecasts = 20;
const maxFactor = 4;
const halvings = 24;
/** How much of the way is gone; half of it or all of it does nearly as well. */
const trust = 0.8;

/**
 * Least squares forecast a mean, and most traffic stays below its mean most of the time: in bursts or with few requests far below. The
 * factor is the one that would have made the absolute errors of the newest forecasts least: the median of what came over what was
 * forecast, each weighing as much as its forecast.
 */
export function createMedianFactor(): MedianFactor {
  let outcomes: { readonly forecast: number; readonly actual: number }[][] = [];
  let sinceLearnt = 0;
  let learnt = 1;

  /** How much forecast lies below what came and how much above it, once all is multiplied. */
  const balance = (factor: number) => {
    let sum = 0;
    for (const steps of outcomes) {
      for (const { forecast, actual } of steps) {
        if (actual > factor * forecast) sum += forecast;
        else if (actual < factor * forecast) sum -= forecast;
      }
    }
    return sum;
  };

  return {
    observe(forecast, actual) {
      const steps = forecast.flatMap((rate, step) => {
        const came = actual[step];
        return came === null || came === undefined || !(rate > 0) ? [] : [{ forecast: rate, actual: came }];
      });
      if (steps.length === 0) return;
      outcomes = [...outcomes.slice(1 - maxForecasts), steps];
      sinceLearnt += 1;
    },
    factor() {
      if (outcomes.length < minForecasts) return 1;
      if (sinceLearnt < relearnForecasts) return learnt;
      sinceLearnt = 0;
      let low = 0;
      let high = maxFactor;
      for (let halving = 0; halving < halvings; halving += 1) {
        const middle = (low + high) / 2;
        if (balance(middle) > 0) low = middle;
        else high = middle;
      }
      learnt = 1 + trust * ((low + high) / 2 - 1);
      return learnt;
    },
  };
}
