import type { RateHistory, RateModel } from "./rate-model.ts";
import { solveRidge } from "./solve-ridge.ts";

const lags = 60;
const mostRows = 3_000;
const fewestRows = 240;
const refitSteps = 240;

/** The highest rate of the last `steps` steps comes again: what most scalers do who look at peaks at all. */
export const recentPeak: RateModel = {
  name: "recent-peak",
  forecast: ({ qps }, steps) =>
    qps.length < steps ? null : new Array<number>(steps).fill(Math.max(...qps.slice(-steps))),
};

function writeInputs(target: Float64Array, offset: number, history: RateHistory, origin: number, scale: number) {
  const { qps, stepMs, endMs, calendar } = history;
  let position = offset;
  for (let index = origin - lags; index < origin; index += 1) target[position++] = (qps[index] as number) / scale;
  const moment = calendar(endMs - (qps.length - origin) * stepMs);
  const angle = (2 * Math.PI * moment.hour) / 24;
  target[position++] = Math.sin(angle);
  target[position++] = Math.cos(angle);
  target[position++] = Math.sin(2 * angle);
  target[position++] = Math.cos(2 * angle);
  target[position++] = moment.weekend ? 1 : 0;
  target[position++] = moment.holiday ? 1 : 0;
  target[position] = 1;
}

/** Ridge regression like {@link createRidgeModel}'s, but on the highest of the coming steps: it says that one for every step. */
export function createPeakRidge(): RateModel {
  const columns = lags + 7;
  let fit: { weights: Float64Array; scale: number; endMs: number; stepMs: number; steps: number } | null = null;

  const learn = (history: RateHistory, steps: number) => {
    const { qps, endMs, stepMs } = history;
    const available = qps.length - steps - lags + 1;
    if (available < fewestRows) return null;
    const scale = qps.reduce((sum, rate) => sum + rate, 0) / qps.length;
    if (scale === 0) return null;
    const stride = Math.ceil(available / mostRows);
    const rows = Math.floor((available - 1) / stride) + 1;
    const inputs = new Float64Array(rows * columns);
    const targets = new Float64Array(rows);
    for (let row = 0; row < rows; row += 1) {
      const origin = qps.length - steps - row * stride;
      writeInputs(inputs, row * columns, history, origin, scale);
      let highest = 0;
      for (let step = 0; step < steps; step += 1) highest = Math.max(highest, qps[origin + step] as number);
      targets[row] = highest / scale;
    }
    return { weights: solveRidge(inputs, targets, columns, 1, 1e-3 * rows), scale, endMs, stepMs, steps };
  };

  return {
    name: "peak-ridge",
    forecast(history, steps) {
      const age = fit === null ? Number.POSITIVE_INFINITY : (history.endMs - fit.endMs) / history.stepMs;
      if (fit === null || fit.steps !== steps || fit.stepMs !== history.stepMs || age < 0 || age >= refitSteps) {
        fit = learn(history, steps);
      }
      if (fit === null || history.qps.length < lags) return null;
      const inputs = new Float64Array(columns);
      writeInputs(inputs, 0, history, history.qps.length, fit.scale);
      let sum = 0;
      for (let column = 0; column < columns; column += 1) {
        sum += (inputs[column] as number) * (fit.weights[column] as number);
      }
      return new Array<number>(steps).fill(Math.max(0, sum * fit.scale));
    },
  };
}
