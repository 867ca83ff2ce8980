import { dayMs } from "#platform/time.ts";
import { type RateHistory, type RateModel, runToEnd } from "./rate-model.ts";
import { createRidgeEquations } from "./solve-ridge.ts";

/** Bounds of the steps between fits, which are a sixteenth of the record. */
const minRefitSteps = 60;
const maxRefitSteps = 240;
/** Steps of which the mean enters, of the stretch that is forecast as it was yesterday and last week. */
const pooledSteps = 3;
/** Newest steps that a ridge regression looks at. */
const lags = 60;
/** More rows are thinned out evenly: they cost time (10 ms at this size) and add little. */
const maxRows = 3_000;
/** Fewer rows are too few for 67 weights. */
const minRows = 240;
/** Rows added between two yields: about a millisecond. */
const rowsPerSlice = 150;
/** Steps for which a forecast makes do with an overdue fit, so that a caller that learns between forecasts never waits for a fit. */
const graceSteps = 30;
/** Strength of the ridge per row. */
const strength = 1e-3;
/** Columns that `writeWindow` writes: the lags and the calendar. */
const windowColumns = lags + 6;

export interface RidgeShape {
  readonly name: string;
  /**
   * false: rates as they are. true (ridge+): divided by the mean of their own 60 steps, so that any level will do, with the same stretch
   * yesterday and last week beside them, as far as the record reaches.
   */
  readonly normalised: boolean;
  /** The highest coming step is forecast, for every step, instead of each step on its own. */
  readonly ofPeak?: true;
}

interface Fit {
  readonly weights: Float64Array;
  readonly columns: number;
  readonly targetCount: number;
  readonly seasons: readonly number[];
  readonly steps: number;
  readonly scale: number;
  readonly stepMs: number;
  readonly fittedEndMs: number;
}

/**
 * Writes the newest rates before `origin` in units of `level`, and the calendar at that moment. `origin` may be the end of the history.
 * @returns the index after the last one written.
 */
function writeWindow(target: Float64Array, history: RateHistory, origin: number, level: number): number {
  const { qps, stepMs, endMs, calendar } = history;
  let position = 0;
  for (let index = origin - lags; index < origin; index += 1) target[position++] = (qps[index] as number) / level;
  const moment = calendar(endMs - (qps.length - origin) * stepMs);
  const angle = (2 * Math.PI * moment.hour) / 24;
  target[position++] = Math.sin(angle);
  target[position++] = Math.cos(angle);
  target[position++] = Math.sin(2 * angle);
  target[position++] = Math.cos(2 * angle);
  target[position++] = moment.weekend ? 1 : 0;
  target[position++] = moment.holiday ? 1 : 0;
  return position;
}

/**
 * Moments of a history that a regression learns from: from the newest backwards, so that thinning never leaves the newest out.
 * @param first index of the first moment with enough record before it.
 * @returns none when they are too few.
 */
function findOrigins(length: number, steps: number, first: number): number[] {
  const available = length - steps - first + 1;
  if (available < minRows) return [];
  const stride = Math.ceil(available / maxRows);
  const rows = Math.floor((available - 1) / stride) + 1;
  return Array.from({ length: rows }, (_, row) => length - steps - row * stride);
}

function meanOf(qps: readonly number[], from: number, to: number): number {
  let sum = 0;
  for (let index = from; index < to; index += 1) sum += qps[index] as number;
  return sum / (to - from);
}

/** Unit of the window before `origin`; 0 when a normalised window holds no traffic. */
const levelOf = (shape: RidgeShape, qps: readonly number[], origin: number, scale: number) =>
  shape.normalised ? meanOf(qps, origin - lags, origin) : scale;

/** Writes one window's inputs, the constant last. `origin` may be the end of the history. */
function writeInputs(
  target: Float64Array,
  history: RateHistory,
  origin: number,
  level: number,
  fit: { readonly seasons: readonly number[]; readonly steps: number },
): void {
  const { qps } = history;
  let position = writeWindow(target, history, origin, level);
  for (const season of fit.seasons) {
    const then = origin - season;
    const levelThen = meanOf(qps, then - lags, then);
    for (let step = 0; step < fit.steps; step += pooledSteps) {
      const to = Math.min(then + step + pooledSteps, qps.length);
      // Without traffic in the hour before, there is no unit for what followed.
      target[position++] = levelThen === 0 ? 1 : Math.min(10, meanOf(qps, then + step, to) / levelThen);
    }
  }
  target[position] = 1;
}

function* learnFit(shape: RidgeShape, history: RateHistory, steps: number): Generator<void, Fit | null, void> {
  const { qps, stepMs, endMs } = history;
  const reach = (season: number) => qps.length - season - lags - steps >= 2 * minRows;
  const seasons = shape.normalised
    ? [dayMs, 7 * dayMs].map((ms) => Math.round(ms / stepMs)).filter((season) => season >= steps && reach(season))
    : [];
  const origins = findOrigins(qps.length, steps, lags + Math.max(0, ...seasons));
  const scale = origins.length === 0 ? 0 : meanOf(qps, 0, qps.length);
  if (scale === 0) return null;
  const columns = windowColumns + 1 + seasons.length * Math.ceil(steps / pooledSteps);
  const targetCount = shape.ofPeak ? 1 : steps;
  const equations = createRidgeEquations(columns, targetCount);
  const inputs = new Float64Array(columns);
  const targets = new Float64Array(targetCount);
  const addRow = (origin: number) => {
    const level = levelOf(shape, qps, origin, scale);
    if (level === 0) return;
    writeInputs(inputs, history, origin, level, { seasons, steps });
    // Errors weigh as much as they cost: those of a quiet window little.
    const weight = Math.sqrt(Math.min(4, level / scale));
    for (let column = 0; column < columns; column += 1) inputs[column] = (inputs[column] as number) * weight;
    const coming = qps.slice(origin, origin + steps);
    const wanted = shape.ofPeak ? [Math.max(0, ...coming)] : coming;
    for (const [target, rate] of wanted.entries()) targets[target] = (rate / level) * weight;
    equations.add(inputs, targets);
  };
  for (const [row, origin] of origins.entries()) {
    addRow(origin);
    if (row % rowsPerSlice === rowsPerSlice - 1) yield;
  }
  const weights = equations.solve(strength * origins.length);
  return { weights, columns, targetCount, seasons, steps, scale, stepMs, fittedEndMs: endMs };
}

/**
 * Creates a ridge regression on the newest 60 steps and the calendar, with separate weights for each coming step, learnt from the history
 * itself and again as the record grows. It needs about five hours of record in steps of a minute.
 */
export function createRidgeModel(shape: RidgeShape): RateModel {
  let fit: Fit | null = null;
  const isFresh = ({ qps, stepMs, endMs }: RateHistory, steps: number, lateSteps: number) => {
    const refitSteps = shape.ofPeak ? maxRefitSteps : Math.min(maxRefitSteps, Math.max(minRefitSteps, qps.length / 16));
    if (fit === null || fit.steps !== steps || fit.stepMs !== stepMs) return false;
    const age = (endMs - fit.fittedEndMs) / stepMs;
    return age >= 0 && age < refitSteps + lateSteps;
  };
  function* learn(history: RateHistory, steps: number) {
    if (!isFresh(history, steps, 0)) fit = yield* learnFit(shape, history, steps);
  }
  return {
    name: shape.name,
    learn,
    forecast(history, steps) {
      const { qps } = history;
      if (!isFresh(history, steps, graceSteps)) runToEnd(learn(history, steps));
      if (fit === null || qps.length < lags + Math.max(0, ...fit.seasons)) return null;
      const level = levelOf(shape, qps, qps.length, fit.scale);
      if (level === 0) return new Array<number>(steps).fill(0);
      const inputs = new Float64Array(fit.columns);
      writeInputs(inputs, history, qps.length, level, fit);
      const { weights, columns, targetCount } = fit;
      const rates = Array.from({ length: targetCount }, (_, target) => {
        let sum = 0;
        for (let column = 0; column < columns; column += 1) {
          sum += (inputs[column] as number) * (weights[column * targetCount + target] as number);
        }
        return Math.max(0, sum * level);
      });
      return shape.ofPeak ? new Array<number>(steps).fill(rates[0] as number) : rates;
    },
  };
}
