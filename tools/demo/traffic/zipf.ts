/**
 * Creates a function that draws an index below `count`, index k with a probability proportional to 1 / (k + 1)^exponent. `uniform` is a random number
 * from 0 (included) to 1 (excluded).
 */
export function createZipf(count: number, exponent: number): (uniform: number) => number {
  if (!(count >= 1) || !Number.isInteger(count)) throw new Error(`zipf over ${count} values. This is a bug.`);
  const cumulative = new Float64Array(count);
  let total = 0;
  for (let index = 0; index < count; index += 1) {
    total += (index + 1) ** -exponent;
    cumulative[index] = total;
  }
  return (uniform) => {
    const target = uniform * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulative[middle] as number) > target) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
