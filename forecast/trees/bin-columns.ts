/** Columns of inputs, each cut into few bins, so that the best split of a column is found by one pass over its bins. */
export interface BinnedColumns {
  readonly rows: number;
  /** Bin of each row, column by column: `bins[column * rows + row]`. */
  readonly bins: Uint8Array;
  /** Highest value in each bin but the last, ascending, one array for each column; none where all values are equal. */
  readonly limits: readonly Float64Array[];
}

export const maxBins = 64;

/**
 * Cuts each column into at most {@link maxBins} bins of about equally many rows. Yields after each column (a millisecond).
 * @param inputs rows × columns, row by row; what is not a number goes into the last bin.
 */
export function* binColumns(inputs: Float64Array, columns: number): Generator<void, BinnedColumns, void> {
  const rows = columns === 0 ? 0 : inputs.length / columns;
  const bins = new Uint8Array(inputs.length);
  const limits: Float64Array[] = [];
  const values = new Float64Array(rows);
  for (let column = 0; column < columns; column += 1) {
    limits.push(binColumn(inputs, columns, column, values, bins.subarray(column * rows, (column + 1) * rows)));
    yield;
  }
  return { rows, bins, limits };
}

/** Cuts one column. Inside the generator its loops would take ten times as long. */
function binColumn(
  inputs: Float64Array,
  columns: number,
  column: number,
  values: Float64Array,
  bins: Uint8Array,
): Float64Array {
  for (let row = 0; row < values.length; row += 1) values[row] = inputs[row * columns + column] as number;
  const limits = limitsOf(values.filter((value) => !Number.isNaN(value)).sort());
  for (let row = 0; row < values.length; row += 1) bins[row] = binOf(limits, values[row] as number);
  return limits;
}

/** Returns the values that end the bins; equal values share a bin. */
function limitsOf(sorted: Float64Array): Float64Array {
  const highest = sorted.at(-1);
  const limits: number[] = [];
  for (let bin = 1; bin < maxBins; bin += 1) {
    const limit = sorted[Math.ceil((bin * sorted.length) / maxBins) - 1];
    if (limit !== undefined && limit !== highest && limit !== limits.at(-1)) limits.push(limit);
  }
  return Float64Array.from(limits);
}

/** Index of the first bin whose highest value is not below `value`. */
function binOf(limits: Float64Array, value: number): number {
  let low = 0;
  let high = limits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value <= (limits[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}
