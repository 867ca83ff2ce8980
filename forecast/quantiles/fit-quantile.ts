import { factorize, substitute } from "#forecast/simple/cholesky.ts";

/** Rows of inputs with one target each. The first input is the constant, which is not regularised. */
export interface QuantileRows {
  /** rows × columns, row by row, columns of about unit scale. */
  readonly inputs: Float64Array;
  readonly targets: Float64Array;
  /** Weights of the rows' errors. */
  readonly weights: Float64Array;
  readonly columns: number;
}

export interface QuantileFitOptions {
  /** Between 0 and 1. */
  readonly quantile: number;
  /** Strength of the ridge on all coefficients but the constant's; more than 0. */
  readonly lambda: number;
  /** Coefficients to start from. */
  readonly start: Float64Array;
  readonly rounds: number;
}

/** Smallest residual in units of their mean: below it the parabola would be endlessly steep. */
const minResidualShare = 0.01;
/** Linearly dependent inputs leave pivots of zero. */
const minPivot = 1e-12;

/**
 * Linear quantile regression (Koenker and Bassett 1978) by the majorise-minimise iteration of Hunter and Lange (2000): each round replaces
 * the loss of a residual by the parabola that touches it at its newest value, which leaves one weighted least-squares problem.
 * Yields after each round (a few milliseconds).
 * @returns the coefficients.
 */
export function* fitQuantile(rows: QuantileRows, options: QuantileFitOptions): Generator<void, Float64Array, void> {
  let state: FitState = { coefficients: Float64Array.from(options.start), smallest: 0.05 };
  for (let round = 0; round < options.rounds; round += 1) {
    state = improve(rows, options, state);
    yield;
  }
  return state.coefficients;
}

interface FitState {
  readonly coefficients: Float64Array;
  /** Lower bound of residuals. */
  readonly smallest: number;
}

/** Runs one round. Inside the generator its loops would take ten times as long. */
function improve(rows: QuantileRows, { quantile, lambda }: QuantileFitOptions, state: FitState): FitState {
  const { inputs, targets, weights, columns } = rows;
  const { coefficients, smallest } = state;
  const gram = new Float64Array(columns * columns);
  const moment = new Float64Array(columns);
  let absolute = 0;
  let total = 0;
  for (let row = 0; row < targets.length; row += 1) {
    const weight = weights[row] as number;
    if (weight === 0) continue;
    const from = row * columns;
    const target = targets[row] as number;
    let residual = target;
    for (let i = 0; i < columns; i += 1) residual -= (inputs[from + i] as number) * (coefficients[i] as number);
    absolute += weight * Math.abs(residual);
    total += weight;
    const curvature = weight / (smallest + Math.abs(residual));
    const pull = curvature * target + weight * (2 * quantile - 1);
    for (let i = 0; i < columns; i += 1) {
      const value = inputs[from + i] as number;
      const scaled = value * curvature;
      const rowOfI = i * columns;
      for (let j = 0; j <= i; j += 1) {
        gram[rowOfI + j] = (gram[rowOfI + j] as number) + scaled * (inputs[from + j] as number);
      }
      moment[i] = (moment[i] as number) + value * pull;
    }
  }
  const hold = (0.01 * lambda) / smallest;
  for (let i = 0; i < columns; i += 1)
    gram[i * columns + i] = (gram[i * columns + i] as number) + (i === 0 ? 1e-9 : hold);
  factorize(gram, columns, minPivot);
  substitute(gram, moment, columns, 1, 0);
  return {
    coefficients: moment,
    smallest: Math.max(1e-9, (minResidualShare * absolute) / Math.max(total, 1e-9)),
  };
}
