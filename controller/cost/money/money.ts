import { joulesPerKwh } from "#platform/energy.ts";

/**
 * Amount of money, exact: whole millionths of a millionth (10⁻¹²) of the currency's unit. Amounts are added and compared with the operators of
 * bigint; they are made, multiplied and split here.
 */
export type Money = bigint;

const digits = 12;

/** Decimal number: `units` × 10^-`scale`. */
interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

const powers = Array.from({ length: 64 }, (_, exponent) => 10n ** BigInt(exponent));
const powerOfTen = (exponent: number) => powers[exponent] ?? 10n ** BigInt(exponent);

const decimalPattern = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,3}))?$/i;

/** Reads the decimal that a number is written as: 0.15 is 15 hundredths, whatever binary fraction it is kept as. */
function decimalOf(value: number | string): Decimal {
  if (Number.isSafeInteger(value)) return { units: BigInt(value), scale: 0 };
  const match = decimalPattern.exec(String(value));
  if (match === null) throw new RangeError(`expected a decimal number, got ${value}`);
  const [, sign = "", whole = "0", fraction = "", exponent = "0"] = match;
  const units = BigInt(`${sign}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { units, scale } : { units: units * powerOfTen(-scale), scale: 0 };
}

const signOf = (value: bigint) => (value < 0n ? -1n : 1n);
const absOf = (value: bigint) => (value < 0n ? -value : value);

/** Divides to the nearest whole number; a half goes to the even one. */
export function divideToNearest(dividend: bigint, divisor: bigint): bigint {
  const whole = dividend / divisor;
  const rest = dividend - whole * divisor;
  if (rest === 0n) return whole;
  const [twice, of] = [absOf(rest) * 2n, absOf(divisor)];
  const isAway = twice > of || (twice === of && whole % 2n !== 0n);
  if (!isAway) return whole;
  return dividend < 0n === divisor < 0n ? whole + 1n : whole - 1n;
}

function toMoney({ units, scale }: Decimal): Money {
  return scale <= digits ? units * powerOfTen(digits - scale) : divideToNearest(units, powerOfTen(scale - digits));
}

/** Amount of a decimal number. @throws RangeError if it is not one. */
export function moneyOf(value: number | string): Money {
  // Short decimals below 2^52: their product is exact, and that of a longer one is no whole number.
  const scaled = typeof value === "number" ? value * 10 ** digits : Number.NaN;
  if (Number.isInteger(scaled) && Math.abs(scaled) < 2 ** 52) return BigInt(scaled);
  return toMoney(decimalOf(value));
}

/** Product of decimal numbers, a price and quantities, rounded once. */
export function productOf(...factors: readonly (number | string)[]): Money {
  const decimals = factors.map(decimalOf);
  return toMoney({
    units: decimals.reduce((product, { units }) => product * units, 1n),
    scale: decimals.reduce((sum, { scale }) => sum + scale, 0),
  });
}

/** Cost of energy in joules at a price of a kilowatt-hour. */
export function energyCost(joules: number, perKwh: number): Money {
  return divideToNearest(productOf(joules, perKwh), BigInt(joulesPerKwh));
}

/** Sum of amounts. */
export function sumOf(amounts: Iterable<Money>): Money {
  let sum = 0n;
  for (const amount of amounts) sum += amount;
  return sum;
}

/**
 * Splits an amount by weights so that the parts add up to it exactly: each is rounded down, and what is left goes to the largest remainders,
 * the first of equal ones. Weights below 0 count as 0. Null when no weight is above 0.
 */
export function splitMoney(amount: Money, weights: readonly bigint[]): Money[] | null {
  const shares = weights.map((weight) => (weight > 0n ? weight : 0n));
  const all = sumOf(shares);
  if (all === 0n) return null;
  if (shares.length === 1) return [amount];
  const [sign, total] = [signOf(amount), absOf(amount)];
  const parts = shares.map((share) => (total * share) / all);
  const rests = shares.map((share, index) => ({ index, rest: (total * share) % all }));
  rests.sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1));
  const left = Number(total - sumOf(parts));
  for (const { index } of rests.slice(0, left)) parts[index] = (parts[index] as bigint) + 1n;
  return parts.map((part) => sign * part);
}

/** Writes an amount as a plain decimal, rounded to `places`, or to as many as it needs. */
export function moneyToText(amount: Money, places: number | null = null): string {
  const rounded = places === null ? amount : divideToNearest(amount, powerOfTen(digits - places));
  const padded = String(absOf(rounded)).padStart((places ?? digits) + 1, "0");
  const at = padded.length - (places ?? digits);
  const fraction = places === null ? padded.slice(at).replace(/0+$/, "") : padded.slice(at);
  const text = fraction === "" ? padded.slice(0, at) : `${padded.slice(0, at)}.${fraction}`;
  return rounded < 0n ? `-${text}` : text;
}

/** Number of an amount, for JSON: the nearest one. */
export function moneyToNumber(amount: Money): number {
  return Number(moneyToText(amount));
}
