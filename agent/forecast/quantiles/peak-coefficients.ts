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

/** One set of coefficients for each quantile. */
export type PeakCoefficients = readonly Float64Array[];

const firstRounds = 20;
const laterRounds = 8;
const lambda = 10;
/** A row of a busy hour weighs this many average ones at most. */
const mostWeight = 4;

/**
 * Learns the quantiles, in slices of a few milliseconds. Changes `rows.inputs`.
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
  const weights = levels.map((level) => Math.min(mostWeight, level / mean));
  const scales = scaleColumns(rows.inputs, weights, columns);
  yield;
  const found: Float64Array[] = [];
  for (const [which, quantile] of peakQuantiles.entries()) {
    const known = before?.[which];
    const start = new Float64Array(columns);
    if (known === undefined) start[startColumn] = scales[startColumn] as number;
    else for (const [column, value] of known.entries()) start[column] = value * (scales[column] as number);
    const rounds = known === undefined ? firstRounds : laterRounds;
    const coefficients = yield* fitQuantile({ ...rows, weights }, { quantile, lambda, start, rounds });
    found.push(coefficients.map((value, column) => value / (scales[column] as number)));
  }
  return found.every((each) => each.every(Number.isFinite)) ? found : null;
}

/** The quantiles for one row of inputs. */
export function applyPeaks(coefficients: PeakCoefficients, inputs: ArrayLike<number>, level: number): PeakQuantiles {
  return inOrder(
    coefficients.map((each) => {
      let sum = 0;
      for (let column = 0; column < each.length; column += 1) {
        sum += (each[column] as number) * (inputs[column] as number);
      }
      return sum * level;
    }),
  );
}

/** Brings each column to a weighted mean square of one, in place, so that the ridge holds all back alike; returns what they were divided by. */
function scaleColumns(inputs: Float64Array, weights: Float64Array, columns: number): Float64Array {
  const squares = new Float64Array(columns);
  let total = 0;
  for (const [row, weight] of weights.entries()) {
    total += weight * weight;
    for (let column = 0; column < columns; column += 1) {
      const value = weight * (inputs[row * columns + column] as number);
      squares[column] = (squares[column] as number) + value * value;
    }
  }
  const scales = squares.map((sum) => Math.sqrt(sum / total) || 1);
  for (let index = 0; index < inputs.length; index += 1) {
    inputs[index] = (inputs[index] as number) / (scales[index % columns] as number);
  }
  return scales;
}
