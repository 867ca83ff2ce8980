/**
 * Replaces the lower half of a symmetric positive definite matrix, size × size row by row, by its Cholesky factor.
 * @param minPivot lower bound of pivots, which rounding may leave at zero or below.
 */
export function factorize(matrix: Float64Array, size: number, minPivot: number): void {
  for (let i = 0; i < size; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = matrix[i * size + j] as number;
      for (let k = 0; k < j; k += 1) sum -= (matrix[i * size + k] as number) * (matrix[j * size + k] as number);
      matrix[i * size + j] = i === j ? Math.sqrt(Math.max(sum, minPivot)) : sum / (matrix[j * size + j] as number);
    }
  }
}

/**
 * Solves for one column of right-hand sides in place: forward, then backward.
 * @param values size × stride, row by row.
 */
export function substitute(
  factor: Float64Array,
  values: Float64Array,
  size: number,
  stride: number,
  column: number,
): void {
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
