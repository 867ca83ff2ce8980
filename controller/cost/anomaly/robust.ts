/** Median; 0 of nothing. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Spread like a standard deviation that outliers don't move: 1.4826 × the median distance from a centre. */
export function robustSpread(values: readonly number[], centre: number): number {
  return 1.4826 * medianOf(values.map((value) => Math.abs(value - centre)));
}

/**
 * Line through points by Theil and Sen: the median slope between two points, never below 0, and the median rest. A negative rest gives way to a
 * line through 0.
 */
export function robustLine(xs: readonly number[], ys: readonly number[]): (x: number) => number {
  const slopes: number[] = [];
  for (let i = 1; i < xs.length; i += 1)
    for (let j = 0; j < i; j += 1) {
      const run = (xs[i] as number) - (xs[j] as number);
      if (run !== 0) slopes.push(((ys[i] as number) - (ys[j] as number)) / run);
    }
  const slope = Math.max(0, medianOf(slopes));
  const rest = medianOf(ys.map((y, index) => y - slope * (xs[index] as number)));
  if (rest >= 0) return (x) => rest + slope * x;
  const ratio = medianOf(ys.flatMap((y, index) => ((xs[index] as number) > 0 ? y / (xs[index] as number) : [])));
  return (x) => ratio * x;
}
