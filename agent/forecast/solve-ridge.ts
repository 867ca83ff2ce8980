/**
 * Ridge regression with several targets (Hoerl and Kennard 1970): W = (XᵀX + λ·D)⁻¹ XᵀY by Cholesky decomposition, where D is the identity
 * but for the last column, the constant, which is not held back.
 * @param inputs rows × columns, row by row; the last column is the constant.
 * @param targets rows × targetCount, row by row.
 * @param lambda more than 0.
 * @returns columns × targetCount, row by row.
 */
export function solveRidge(
  inputs: Float64Array,
  targets: Float64Array,
  columns: number,
  targetCount: number,
  lambda: number,
): Float64Array {
  const rows = inputs.length / columns;
  const gram = new Float64Array(columns * columns);
  const moment = new Float64Array(columns * targetCount);
  for (let row = 0; row < rows; row += 1) {
    const from = row * columns;
    for (let i = 0; i < columns; i += 1) {
      const value = inputs[from + i] as number;
      if (value === 0) continue;
      const line = i * columns;
      for (let j = 0; j <= i; j += 1)
        gram[line + j] = (gram[line + j] as number) + value * (inputs[from + j] as number);
      const target = i * targetCount;
      for (let k = 0; k < targetCount; k += 1) {
        moment[target + k] = (moment[target + k] as number) + value * (targets[row * targetCount + k] as number);
      }
    }
  }
  // A breath on the constant too, so that no data at all is no division by zero.
  for (let i = 0; i < columns; i += 1) {
    gram[i * columns + i] = (gram[i * columns + i] as number) + (i === columns - 1 ? 1e-9 : lambda);
  }
  factorize(gram, columns);
  for (let k = 0; k < targetCount; k += 1) substitute(gram, moment, columns, targetCount, k);
  return moment;
}

/** Replaces the lower half of a symmetric positive definite matrix by its Cholesky factor. */
function factorize(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i * size + j] as number;
      for (let k = 0; k < j; k += 1) sum -= (matrix[i * size + k] as number) * (matrix[j * size + k] as number);
      matrix[i * size + j] =
        i === j ? Math.sqrt(Math.max(sum, Number.MIN_VALUE)) : sum / (matrix[j * size + j] as number);
    }
  }
}

/** Solves for one target's column in place: forward, then backward. */
function substitute(factor: Float64Array, values: Float64Array, size: number, stride: number, column: number): void {
  for (let i = 0; i < size; i += 1) {
    let sum = values[i * stride + column] as number;
    for (let k = 0; k < i; k += 1) sum -= (factor[i * size + k] as number) * (values[k * stride + column] as number);
    values[i * stride + column] = sum / (factor[i * size + i] as number);
  }
  for (let i = size - 1; i >= 0; i -= 1) {
    let sum = values[i * stride + column] as number;
    for (let k = i + 1; k < size; k += 1) {
      sum -= (factor[k * size + i] as number) * (values[k * stride + column] as number);
    }
    values[i * stride + column] = sum / (factor[i * size + i] as number);
  }
}
