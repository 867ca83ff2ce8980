/**
 * Converts a quantity to whole thousandths, rounded up. The decimal point is moved in the text: 0.07 * 1000 is 70.00000000000001 in floating
 * point and would round up to 71. `value` is finite, up to 1e300.
 */
export function toThousandths(value: number): bigint {
  const [digits, exponent = "0"] = String(value).split("e");
  return BigInt(Math.ceil(Number(`${digits}e${Number(exponent) + 3}`)));
}

export function sum(values: Iterable<bigint>): bigint {
  let total = 0n;
  for (const value of values) total += value;
  return total;
}
