import { fitQuantile } from "./fit-quantile.ts";
import { inOrder, type PeakQuantiles, peakQuantiles } from "./peak-quantiles.ts";

/** Rows with the statistics of a moment and the highest rate after it, in units of the moment's own level. */
export interface PeakRows {
  /** rows × columns, row by row. */
  readonly inputs: Float64Array;
  readonly targets: Float64Array;
  /** Levels of the moments, requests per second; also the rows' weights, so that the loss is in requests per second. */
  readonly levels: Float64Array;
  readonly columns: number;
}

/** Index of the constant among the inputs. */
const constantColumn = 0;

/** Sets of coefficients, one for each quantile. */
export type PeakCoefficients = readonly Float64Array[];

/** Rounds of the fit; slowly varying traffic, whose inputs are nearly equal, needs that many. */
const firstRounds = 60;
const laterRounds = 30;
/** Ridge for inputs with a mean of zero and a variance of one; 30, 100 and 300 differ by half a percent of loss. */
const lambda = 100;
/** Inputs are of about unit size: one that varies by less is a constant with rounding errors. */
const minScale = 1e-9;
/** Maximum weight of a row from a busy hour, in average rows. */
const maxWeight = 4;

/**
 * Learns the quantiles, in slices of a few milliseconds. Changes `rows.inputs`. The first input must be the constant 1.
 * @param before coefficients of an earlier fit to start from.
 * @param startColumn input that is the forecast to start from where there was no earlier fit.
 * @returns null when no row had traffic, or the fit did not give finite numbers.
 */
export function* learnPeaks(
  rows: PeakRows,
  before: PeakCoefficients | null,
  startColumn: number,
): Generator<void, PeakCoefficients | null, void> {
  const { columns, levels } = rows;
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  if (!(mean > 0)) return null;
  const weights = levels.map((level) => Math.min(maxWeight, level / mean));
  const { means, scales } = standardize(rows.inputs, weights, columns);
  yield;
  const found: Float64Array[] = [];
  for (const [which, quantile] of peakQuantiles.entries()) {
    const known = before?.[which];
    const start = new Float64Array(columns);
    if (known === undefined) start[startColumn] = 1;
    else start.set(known);
    const rounds = known === undefined ? firstRounds : laterRounds;
    const inUnits = start.map((value, column) => value * (scales[column] as number));
    inUnits[constantColumn] = dot(start, means);
    const coefficients = yield* fitQuantile({ ...rows, weights }, { quantile, lambda, start: inUnits, rounds });
    const own = coefficients.map((value, column) => value / (scales[column] as number));
    own[constantColumn] = 0;
    own[constantColumn] = (coefficients[constantColumn] as number) - dot(own, means);
    found.push(own);
  }
  return found.every((each) => each.every(Number.isFinite)) ? found : null;
}

/** Computes the quantiles for one row of inputs. */
export function applyPeaks(coefficients: PeakCoefficients, inputs: ArrayLike<number>, level: number): PeakQuantiles {
  return inOrder(coefficients.map((each) => dot(each, inputs) * level));
}

function dot(coefficients: Float64Array, inputs: ArrayLike<number>): number {
  let sum = 0;
  for (let column = 0; column < coefficients.length; column += 1) {
    sum += (coefficients[column] as number) * (inputs[column] as number);
  }
  return sum;
}

/**
 * Brings each column but the constant to a weighted mean of zero and a variance of one, in place, so that the ridge treats all alike
 * whether traffic varies by half or by a hundredth of its level.
 * @returns the means that were subtracted (1 for the constant) and the scales that were divided by.
 */
function standardize(inputs: Float64Array, weights: Float64Array, columns: number) {
  const sums = new Float64Array(columns);
  let total = 0;
  for (const [row, weight] of weights.entries()) {
    if (weight === 0) continue; // without traffic the inputs mean nothing
    total += weight * weight;
    for (let column = 0; column < columns; column += 1) {
      sums[column] = (sums[column] as number) + weight * weight * (inputs[row * columns + column] as number);
    }
  }
  const means = sums.map((sum, column) => (column === constantColumn ? 0 : sum / total));
  const squares = new Float64Array(columns);
  for (const [row, weight] of weights.entries()) {
    if (weight === 0) continue;
    for (let column = 0; column < columns; column += 1) {
      const place = row * columns + column;
      const distance = (inputs[place] as number) - (means[column] as number);
      inputs[place] = distance;
      squares[column] = (squares[column] as number) + weight * weight * distance * distance;
    }
  }
  const scales = squares.map((sum) => {
    const scale = Math.sqrt(sum / total);
    return scale > minScale ? scale : 1;
  });
  for (let index = 0; index < inputs.length; index += 1) {
    inputs[index] = (inputs[index] as number) / (scales[index % columns] as number);
  }
  means[constantColumn] = 1;
  return { means, scales };
}
