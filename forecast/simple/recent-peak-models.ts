import { type RateHistory, type RateModel, runToEnd } from "./rate-model.ts";
import {
  ridgeGraceSteps,
  ridgeLags,
  ridgeOrigins,
  ridgeStrength,
  ridgeWindowColumns,
  rowsPerSlice,
  writeRidgeWindow,
} from "./ridge-window.ts";
import { createRidgeEquations } from "./solve-ridge.ts";

const refitSteps = 240;
const columns = ridgeWindowColumns + 1;

/** Repeats the highest rate of the last `steps` steps, as most scalers do that look at peaks at all. */
export const recentPeak: RateModel = {
  name: "recent-peak",
  forecast: ({ qps }, steps) =>
    qps.length < steps ? null : new Array<number>(steps).fill(Math.max(...qps.slice(-steps))),
};

interface PeakFit {
  readonly weights: Float64Array;
  readonly scale: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly steps: number;
}

/** Writes the window, then the constant. */
function writeInputs(target: Float64Array, history: RateHistory, origin: number, scale: number): void {
  target[writeRidgeWindow(target, history, origin, scale)] = 1;
}

function* learnFit(history: RateHistory, steps: number): Generator<void, PeakFit | null, void> {
  const { qps, endMs, stepMs } = history;
  const origins = ridgeOrigins(qps.length, steps, ridgeLags);
  const scale = origins.length === 0 ? 0 : qps.reduce((sum, rate) => sum + rate, 0) / qps.length;
  if (scale === 0) return null;
  const equations = createRidgeEquations(columns, 1);
  const inputs = new Float64Array(columns);
  const targets = new Float64Array(1);
  const addRow = (origin: number) => {
    writeInputs(inputs, history, origin, scale);
    let highest = 0;
    for (let step = 0; step < steps; step += 1) highest = Math.max(highest, qps[origin + step] as number);
    targets[0] = highest / scale;
    equations.add(inputs, targets);
  };
  for (const [row, origin] of origins.entries()) {
    addRow(origin);
    if (row % rowsPerSlice === rowsPerSlice - 1) yield;
  }
  return { weights: equations.solve(ridgeStrength * origins.length), scale, endMs, stepMs, steps };
}

/** Creates a ridge regression like {@link createRidgeModel}'s, but of the highest coming step, which it forecasts for every step. */
export function createPeakRidge(): RateModel {
  let fit: PeakFit | null = null;
  const isFresh = (history: RateHistory, steps: number, graceSteps: number) => {
    if (fit === null || fit.steps !== steps || fit.stepMs !== history.stepMs) return false;
    const age = (history.endMs - fit.endMs) / history.stepMs;
    return age >= 0 && age < refitSteps + graceSteps;
  };
  function* learn(history: RateHistory, steps: number) {
    if (!isFresh(history, steps, 0)) fit = yield* learnFit(history, steps);
  }
  return {
    name: "peak-ridge",
    learn,
    forecast(history, steps) {
      if (!isFresh(history, steps, ridgeGraceSteps)) runToEnd(learn(history, steps));
      if (fit === null || history.qps.length < ridgeLags) return null;
      const inputs = new Float64Array(columns);
      writeInputs(inputs, history, history.qps.length, fit.scale);
      let sum = 0;
      for (let column = 0; column < columns; column += 1) {
        sum += (inputs[column] as number) * (fit.weights[column] as number);
      }
      return new Array<number>(steps).fill(Math.max(0, sum * fit.scale));
    },
  };
}
