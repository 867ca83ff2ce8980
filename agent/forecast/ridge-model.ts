import type { RateHistory, RateModel } from "./rate-model.ts";
import { solveRidge } from "./solve-ridge.ts";

const lags = 60;
/** More rows than this are thinned out evenly: they cost time (10 ms at this size) and add little. */
const mostRows = 3_000;
/** Fewer rows than this tell too little for 67 weights. */
const fewestRows = 240;
/** Learnt anew when the record has grown by a sixteenth, but not more often nor more rarely than these many steps. */
const fewestRefitSteps = 60;
const mostRefitSteps = 240;
const dayMs = 86_400_000;
/** Of the stretch that is forecast, yesterday's or last week's rates enter as means of three steps. */
const pooledSteps = 3;

export interface RidgeShape {
  readonly name: string;
  /**
   * false: rates as they are. true (ridge+): divided by the mean of their own 60 steps, so that a level never seen before is no
   * stranger, and with the same stretch yesterday and last week beside them, as far as the record reaches.
   */
  readonly normalised: boolean;
}

interface Fit {
  readonly weights: Float64Array;
  readonly columns: number;
  readonly seasons: readonly number[];
  readonly steps: number;
  readonly scale: number;
  readonly stepMs: number;
  readonly fittedEndMs: number;
}

function meanOf(qps: readonly number[], from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index += 1) sum += qps[index] as number;
  return sum / (to - from);
}

/** What the shape calls one for the window before `origin`; 0 when a normalised window holds no traffic. */
const levelOf = (shape: RidgeShape, qps: readonly number[], origin: number, scale: number) =>
  shape.normalised ? meanOf(qps, origin - lags, origin) : scale;

/** One window's inputs, the constant last. `origin` may be the end of the history. */
function writeInputs(
  target: Float64Array,
  offset: number,
  history: RateHistory,
  origin: number,
  level: number,
  fit: { readonly seasons: readonly number[]; readonly steps: number },
): void {
  const { qps, stepMs, endMs, calendar } = history;
  let position = offset;
  for (let index = origin - lags; index < origin; index += 1) target[position++] = (qps[index] as number) / level;
  const moment = calendar(endMs - (qps.length - origin) * stepMs);
  const angle = (2 * Math.PI * moment.hour) / 24;
  target[position++] = Math.sin(angle);
  target[position++] = Math.cos(angle);
  target[position++] = Math.sin(2 * angle);
  target[position++] = Math.cos(2 * angle);
  target[position++] = moment.weekend ? 1 : 0;
  target[position++] = moment.holiday ? 1 : 0;
  for (const season of fit.seasons) {
    const then = origin - season;
    const levelThen = meanOf(qps, then - lags, then);
    for (let step = 0; step < fit.steps; step += pooledSteps) {
      const to = Math.min(then + step + pooledSteps, qps.length);
      // A silent hour then says nothing about the shape of what followed.
      target[position++] = levelThen === 0 ? 1 : Math.min(10, meanOf(qps, then + step, to) / levelThen);
    }
  }
  target[position] = 1;
}

function learn(shape: RidgeShape, history: RateHistory, steps: number): Fit | null {
  const { qps, stepMs, endMs } = history;
  const reach = (season: number) => qps.length - season - lags - steps >= 2 * fewestRows;
  const seasons = shape.normalised
    ? [dayMs, 7 * dayMs].map((ms) => Math.round(ms / stepMs)).filter((season) => season >= steps && reach(season))
    : [];
  const first = lags + Math.max(0, ...seasons);
  const available = qps.length - steps - first + 1;
  if (available < fewestRows) return null;
  const scale = meanOf(qps, 0, qps.length);
  if (scale === 0) return null;
  const columns = lags + 7 + seasons.length * Math.ceil(steps / pooledSteps);
  const stride = Math.ceil(available / mostRows);
  const rows = Math.floor((available - 1) / stride) + 1;
  const inputs = new Float64Array(rows * columns);
  const targets = new Float64Array(rows * steps);
  for (let row = 0; row < rows; row += 1) {
    // From the newest backwards, so that thinning never leaves the newest out.
    const origin = qps.length - steps - row * stride;
    const level = levelOf(shape, qps, origin, scale);
    if (level === 0) continue;
    writeInputs(inputs, row * columns, history, origin, level, { seasons, steps });
    // A quiet window's relative errors weigh as little as they cost.
    const weight = Math.sqrt(Math.min(4, level / scale));
    for (let index = row * columns; index < (row + 1) * columns; index += 1) {
      inputs[index] = (inputs[index] as number) * weight;
    }
    for (let step = 0; step < steps; step += 1) {
      targets[row * steps + step] = ((qps[origin + step] as number) / level) * weight;
    }
  }
  const weights = solveRidge(inputs, targets, columns, steps, 1e-3 * rows);
  return { weights, columns, seasons, steps, scale, stepMs, fittedEndMs: endMs };
}

/**
 * Ridge regression on the 60 newest steps and the calendar, each coming step with weights of its own, learnt from the history itself and
 * again as the record grows. Needs about five hours of record at a minute a step.
 */
export function createRidgeModel(shape: RidgeShape): RateModel {
  let fit: Fit | null = null;
  return {
    name: shape.name,
    forecast(history, steps) {
      const { qps, stepMs, endMs } = history;
      const refitSteps = Math.min(mostRefitSteps, Math.max(fewestRefitSteps, qps.length / 16));
      const age = fit === null ? Number.POSITIVE_INFINITY : (endMs - fit.fittedEndMs) / stepMs;
      if (fit === null || fit.steps !== steps || fit.stepMs !== stepMs || age < 0 || age >= refitSteps) {
        fit = learn(shape, history, steps);
      }
      if (fit === null || qps.length < lags + Math.max(0, ...fit.seasons)) return null;
      const level = levelOf(shape, qps, qps.length, fit.scale);
      if (level === 0) return new Array<number>(steps).fill(0);
      const inputs = new Float64Array(fit.columns);
      writeInputs(inputs, 0, history, qps.length, level, fit);
      const { weights, columns } = fit;
      return Array.from({ length: steps }, (_, step) => {
        let sum = 0;
        for (let column = 0; column < columns; column += 1) {
          sum += (inputs[column] as number) * (weights[column * steps + step] as number);
        }
        return Math.max(0, sum * level);
      });
    },
  };
}
