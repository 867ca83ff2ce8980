/** Number as people read it, with its unit apart so that it can be set smaller. */
export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

/** Sign of a value that nobody knows. It is never written as 0. */
export const unknown = "–";

type Known = number | null | undefined;

const isKnown = (value: Known): value is number => typeof value === "number" && Number.isFinite(value);
const unknownOf = (unit: string): Quantity => ({ value: unknown, unit });

/** Keeps what is costly to make, by its name: a table asks for the same formats thousands of times. */
function kept<Made>(make: (name: string) => Made): (name: string) => Made {
  const known = new Map<string, Made>();
  return (name) => {
    const made = known.get(name) ?? make(name);
    known.set(name, made);
    return made;
  };
}

const numberFormat = kept((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: Number(digits) }));

/** Writes a number with up to `digits` significant digits, and thousands apart: 0.123, 12.3, 1,234. */
export function formatNumber(value: Known, digits = 3): string {
  if (!isKnown(value)) return unknown;
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const maximumFractionDigits = Math.min(20, Math.max(0, digits - 1 - exponent));
  return numberFormat(String(maximumFractionDigits)).format(value).replace(/^-0$/, "0").replace("-", "−");
}

const prefixes = [
  { factor: 1e12, prefix: "T" },
  { factor: 1e9, prefix: "G" },
  { factor: 1e6, prefix: "M" },
  { factor: 1e3, prefix: "k" },
  { factor: 1, prefix: "" },
  { factor: 1e-3, prefix: "m" },
] as const;

/** Writes a number of a unit with an SI prefix where it has more than four digits or is less than 1: 12.3 W, 1.25 kW, 340 mW. */
export function formatSi(value: Known, unit: string, fromFactor = 1e-3): Quantity {
  if (!isKnown(value)) return unknownOf(unit);
  const size = Math.abs(value);
  const { factor, prefix } = (size === 0
    ? undefined
    : prefixes.find(
        (each) => each.factor >= fromFactor && size >= (each.factor > 1 ? each.factor * 0.99995 : each.factor),
      )) ?? {
    factor: 1,
    prefix: "",
  };
  return { value: formatNumber(value / factor), unit: `${prefix}${unit}` };
}

/** Writes a rate, e.g. of texts: "1.2k texts/s". */
export function formatRate(value: Known, unit = "texts/s"): Quantity {
  if (!isKnown(value)) return unknownOf(unit);
  if (Math.abs(value) < 10_000) return { value: formatNumber(value), unit };
  const { value: number, unit: prefix } = formatSi(value, "", 1);
  return { value: `${number}${prefix}`, unit };
}

export const formatWatts = (value: Known): Quantity => formatSi(value, "W");

const moneyFormat = kept((name) => {
  const [currency = "", digits] = name.split(" ");
  return new Intl.NumberFormat("en", {
    ...{ style: "currency", currency, currencyDisplay: "narrowSymbol" },
    ...{ minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) },
  });
});

/** Writes an amount with its currency: two digits behind the point, and three significant ones of small amounts. */
export function formatMoney(value: Known, per = "", currency = "USD"): Quantity {
  if (!isKnown(value)) return unknownOf(per);
  const digits = value === 0 || Math.abs(value) >= 1 ? 2 : Math.min(8, 3 - Math.floor(Math.log10(Math.abs(value))) - 1);
  const format = moneyFormat(`${currency} ${Math.max(2, digits)}`);
  return { value: format.format(value).replace("-", "−"), unit: per };
}

/** Writes a share of 0 … 1 as a percentage. */
export const formatShare = (value: Known): Quantity => ({
  value: isKnown(value) ? formatNumber(value * 100) : unknown,
  unit: "%",
});

const spans = [
  { ms: 86_400_000, unit: "d" },
  { ms: 3_600_000, unit: "h" },
  { ms: 60_000, unit: "min" },
  { ms: 1_000, unit: "s" },
] as const;

/** Writes a duration in its largest unit: "22 ms", "1.5 s", "12 min". */
export function formatDuration(ms: Known): Quantity {
  if (!isKnown(ms)) return unknownOf("ms");
  const span = spans.find((each) => Math.abs(ms) >= each.ms);
  return span === undefined
    ? { value: formatNumber(ms), unit: "ms" }
    : { value: formatNumber(ms / span.ms, 2), unit: span.unit };
}

/** Joins value and unit for running text. */
export const quantityText = ({ value, unit }: Quantity): string => (unit === "" ? value : `${value} ${unit}`);

/** Styles of a time: the day alone, of day, with the day, to the second, or with all there is. */
export type TimeStyle = "date" | "minute" | "second" | "day" | "full";

const timeOptions: Readonly<Record<TimeStyle, Intl.DateTimeFormatOptions>> = {
  date: { day: "2-digit", month: "short" },
  minute: { hour: "2-digit", minute: "2-digit" },
  second: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  day: { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" },
  full: {
    ...{ weekday: "short", day: "2-digit", month: "short", year: "numeric" },
    ...{ hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
  },
};

const timeFormat = kept((name) => {
  const [style, timeZone] = name.split(" ") as [TimeStyle, string];
  const zone = timeZone === "" ? {} : { timeZone };
  return new Intl.DateTimeFormat("en-GB", { ...timeOptions[style], ...zone, hourCycle: "h23" });
});

/** Writes a time. @param timeZone undefined: that of the browser */
export function formatTime(atMs: Known, style: TimeStyle, timeZone: string | undefined): string {
  if (!isKnown(atMs) || Math.abs(atMs) > 8.64e15) return unknown;
  return timeFormat(`${style} ${timeZone ?? ""}`).format(atMs);
}
