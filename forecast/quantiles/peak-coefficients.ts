import { fitQuantile } from "./fit-quantile.ts";
import { inOrder, type PeakQuantiles, peakQuantiles } from "./peak-quantiles.ts";

/** Rows of what was known at a moment and how high the rate rose afterwards, in units of the moment's own level. */
export interface PeakRows {
  /** rows × columns, row by row. */
  readonly inputs: Float64Array;
  readonly targets: Float64Array;
  /** The moments' levels, requests a second: a row weighs as much, for that makes the loss one in requests a second. */
  readonly levels: Float64Array;
  readonly columns: number;
}

/** Where the constant stands among the inputs. */
const constantColumn = 0;

/** One set of coefficients for each quantile. */
export type PeakCoefficients = readonly Float64Array[];

/** Rounds of the fit; a slowly varying traffic, whose inputs all say nearly the same, needs that many. */
const firstRounds = 60;
const laterRounds = 30;
/** Of inputs with a mean of zero and a variance of one: 30, 100 and 300 differ by half a percent of loss. */
const lambda = 100;
/** A row of a busy hour weighs this many average ones at most. */
const maxWeight = 4;

/**
 * Learns the quantiles, in slices of a few milliseconds. Changes `rows.inputs`. The first input must be the constant 1.
 * @param before coefficients of an earlier fit to go on from.
 * @param startColumn the input that stands for the forecast where there are none.
 * @returns null when nothing came in all the rows, or the fit gave something else than numbers.
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

/** The quantiles for one row of inputs. */
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
 * Brings each column but the constant to a weighted mean of zero and a variance of one, in place, so that the ridge holds all back alike
 * whether traffic sways by half or by a hundredth of its level. Returns what was subtracted (the constant's own place: 1) and divided by.
 */
function standardize(inputs: Float64Array, weights: Float64Array, columns: number) {
  const sums = new Float64Array(columns);
  let total = 0;
  for (const [row, weight] of weights.entries()) {
    if (weight === 0) continue; // a silent hour's inputs are not numbers that mean something
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
  const scales = squares.map((sum) => Math.sqrt(sum / total) || 1);
  for (let index = 0; index < inputs.length; index += 1) {
    inputs[index] = (inputs[index] as number) / (scales[index % columns] as number);
  }
  means[constantColumn] = 1;
  return { means, scales };
}
