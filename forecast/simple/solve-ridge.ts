import { factorize, substitute } from "./cholesky.ts";

/** Creates the normal equations of a ridge regression, which grow row by row. */
export function createRidgeEquations(columns: number, targetCount: number) {
  const gram = new Float64Array(columns * columns);
  const moment = new Float64Array(columns * targetCount);
  return {
    /** Adds a row. The last input is the constant; `targets` has `targetCount` values. */
    add(inputs: Float64Array, targets: Float64Array): void {
      for (let i = 0; i < columns; i += 1) {
        const value = inputs[i] as number;
        if (value === 0) continue;
        const rowOfI = i * columns;
        for (let j = 0; j <= i; j += 1) gram[rowOfI + j] = (gram[rowOfI + j] as number) + value * (inputs[j] as number);
        const target = i * targetCount;
        for (let k = 0; k < targetCount; k += 1) {
          moment[target + k] = (moment[target + k] as number) + value * (targets[k] as number);
        }
      }
    },
    /**
     * Ridge regression with several targets (Hoerl and Kennard 1970): W = (XᵀX + λ·D)⁻¹ XᵀY by Cholesky decomposition, where D is the identity
     * but for the last column, the constant, which is not regularised. The equations can't be used again.
     * @param lambda more than 0.
     * @returns columns × targetCount, row by row.
     */
    solve(lambda: number): Float64Array {
      // The constant gets a tiny ridge too, so that no data at all is no division by zero.
      for (let i = 0; i < columns; i += 1) {
        gram[i * columns + i] = (gram[i * columns + i] as number) + (i === columns - 1 ? 1e-9 : lambda);
      }
      factorize(gram, columns, Number.MIN_VALUE);
      for (let k = 0; k < targetCount; k += 1) substitute(gram, moment, columns, targetCount, k);
      return moment;
    },
  };
}
