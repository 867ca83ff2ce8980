import { dayMs } from "#platform/time.ts";
import { type RateHistory, type RateModel, runToEnd } from "./rate-model.ts";
import {
  minRidgeRows,
  ridgeGraceSteps,
  ridgeLags,
  ridgeOrigins,
  ridgeStrength,
  ridgeWindowColumns,
  rowsPerSlice,
  writeRidgeWindow,
} from "./ridge-window.ts";
import { createRidgeEquations } from "./solve-ridge.ts";

/** Bounds of the steps between fits, which are a sixteenth of the record. */
const minRefitSteps = 60;
const maxRefitSteps = 240;
/** Steps of which the mean enters, of the stretch that is forecast as it was yesterday and last week. */
const pooledSteps = 3;

export interface RidgeShape {
  readonly name: string;
  /**
   * false: rates as they are. true (ridge+): divided by the mean of their own 60 steps, so that any level will do, with the same stretch
   * yesterday and last week beside them, as far as the record reaches.
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

/** Unit of the window before `origin`; 0 when a normalised window holds no traffic. */
const levelOf = (shape: RidgeShape, qps: readonly number[], origin: number, scale: number) =>
  shape.normalised ? meanOf(qps, origin - ridgeLags, origin) : scale;

/** Writes one window's inputs, the constant last. `origin` may be the end of the history. */
function writeInputs(
  target: Float64Array,
  history: RateHistory,
  origin: number,
  level: number,
  fit: { readonly seasons: readonly number[]; readonly steps: number },
): void {
  const { qps } = history;
  let position = writeRidgeWindow(target, history, origin, level);
  for (const season of fit.seasons) {
    const then = origin - season;
    const levelThen = meanOf(qps, then - ridgeLags, then);
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
  const reach = (season: number) => qps.length - season - ridgeLags - steps >= 2 * minRidgeRows;
  const seasons = shape.normalised
    ? [dayMs, 7 * dayMs].map((ms) => Math.round(ms / stepMs)).filter((season) => season >= steps && reach(season))
    : [];
  const origins = ridgeOrigins(qps.length, steps, ridgeLags + Math.max(0, ...seasons));
  const scale = origins.length === 0 ? 0 : meanOf(qps, 0, qps.length);
  if (scale === 0) return null;
  const columns = ridgeWindowColumns + 1 + seasons.length * Math.ceil(steps / pooledSteps);
  const equations = createRidgeEquations(columns, steps);
  const inputs = new Float64Array(columns);
  const targets = new Float64Array(steps);
  const addRow = (origin: number) => {
    const level = levelOf(shape, qps, origin, scale);
    if (level === 0) return;
    writeInputs(inputs, history, origin, level, { seasons, steps });
    // Errors weigh as much as they cost: those of a quiet window little.
    const weight = Math.sqrt(Math.min(4, level / scale));
    for (let column = 0; column < columns; column += 1) inputs[column] = (inputs[column] as number) * weight;
    for (let step = 0; step < steps; step += 1) targets[step] = ((qps[origin + step] as number) / level) * weight;
    equations.add(inputs, targets);
  };
  for (const [row, origin] of origins.entries()) {
    addRow(origin);
    if (row % rowsPerSlice === rowsPerSlice - 1) yield;
  }
  const weights = equations.solve(ridgeStrength * origins.length);
  return { weights, columns, seasons, steps, scale, stepMs, fittedEndMs: endMs };
}

/**
 * Creates a ridge regression on the newest 60 steps and the calendar, with separate weights for each coming step, learnt from the history
 * itself and again as the record grows. It needs about five hours of record in steps of a minute.
 */
export function createRidgeModel(shape: RidgeShape): RateModel {
  let fit: Fit | null = null;
  const isFresh = ({ qps, stepMs, endMs }: RateHistory, steps: number, graceSteps: number) => {
    const refitSteps = Math.min(maxRefitSteps, Math.max(minRefitSteps, qps.length / 16)) + graceSteps;
    if (fit === null || fit.steps !== steps || fit.stepMs !== stepMs) return false;
    const age = (endMs - fit.fittedEndMs) / stepMs;
    return age >= 0 && age < refitSteps;
  };
  function* learn(history: RateHistory, steps: number) {
    if (!isFresh(history, steps, 0)) fit = yield* learnFit(shape, history, steps);
  }
  return {
    name: shape.name,
    learn,
    forecast(history, steps) {
      const { qps } = history;
      if (!isFresh(history, steps, ridgeGraceSteps)) runToEnd(learn(history, steps));
      if (fit === null || qps.length < ridgeLags + Math.max(0, ...fit.seasons)) return null;
      const level = levelOf(shape, qps, qps.length, fit.scale);
      if (level === 0) return new Array<number>(steps).fill(0);
      const inputs = new Float64Array(fit.columns);
      writeInputs(inputs, history, qps.length, level, fit);
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
