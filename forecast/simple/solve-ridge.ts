import { factorize, substitute } from "./cholesky.ts";

/** The normal equations of a ridge regression, which grow row by row. */
export interface RidgeEquations {
  /** Takes one more row in. The last input is the constant; `targets` are as many as told at the start. */
  add(inputs: Float64Array, targets: Float64Array): void;
  /**
   * Ridge regression with several targets (Hoerl and Kennard 1970): W = (XᵀX + λ·D)⁻¹ XᵀY by Cholesky decomposition, where D is the identity
   * but for the last column, the constant, which is not held back. The equations are used up by it.
   * @param lambda more than 0.
   * @returns columns × targetCount, row by row.
   */
  solve(lambda: number): Float64Array;
}

export function createRidgeEquations(columns: number, targetCount: number): RidgeEquations {
  const gram = new Float64Array(columns * columns);
  const moment = new Float64Array(columns * targetCount);
  return {
    add(inputs, targets) {
      for (let i = 0; i < columns; i += 1) {
        const value = inputs[i] as number;
        if (value === 0) continue;
        const line = i * columns;
        for (let j = 0; j <= i; j += 1) gram[line + j] = (gram[line + j] as number) + value * (inputs[j] as number);
        const target = i * targetCount;
        for (let k = 0; k < targetCount; k += 1) {
          moment[target + k] = (moment[target + k] as number) + value * (targets[k] as number);
        }
      }
    },
    solve(lambda) {
      // A breath on the constant too, so that no data at all is no division by zero.
      for (let i = 0; i < columns; i += 1) {
        gram[i * columns + i] = (gram[i * columns + i] as number) + (i === columns - 1 ? 1e-9 : lambda);
      }
      factorize(gram, columns, Number.MIN_VALUE);
      for (let k = 0; k < targetCount; k += 1) substitute(gram, moment, columns, targetCount, k);
      return moment;
    },
  };
}
