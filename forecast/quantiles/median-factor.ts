/** Factor that turns the mean of forecasts into their median. */
export interface MedianFactor {
  /** Learns from a forecast and the actual rates, step by step; null: not counted. */
  observe(forecast: readonly number[], actual: readonly (number | null)[]): void;
  factor(): number;
}

/** Newest forecasts that the factor is learnt from: their maximum, the minimum, and the number after which it is learnt anew. */
const maxForecasts = 400;
const minForecasts = 100;
const relearnForecasts = 20;
const maxFactor = 4;
const halvings = 24;
/** Share of the learnt correction that is applied; half or all of it does nearly as well. */
const trust = 0.8;

/**
 * Creates a factor of one. Least squares forecast a mean, and most traffic stays below its mean most of the time, far below it in bursts or
 * with few requests. The learnt factor minimises the absolute errors of the newest forecasts: it is the median of actual / forecast,
 * weighted by forecast.
 */
export function createMedianFactor(): MedianFactor {
  let outcomes: { readonly forecast: number; readonly actual: number }[][] = [];
  let sinceLearnt = 0;
  let learnt = 1;

  /** Forecast that lies below the actual rates minus forecast above them, after multiplication. */
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
        const counted = actual[step];
        return counted === null || counted === undefined || !(rate > 0) ? [] : [{ forecast: rate, actual: counted }];
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
