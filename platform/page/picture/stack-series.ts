import type { ChartSeries } from "../chart-parts.tsx";

/** Sum of the values of a step; null where none is known. */
function sumAt(series: readonly ChartSeries[], index: number): number | null {
  let sum: number | null = null;
  for (const { values } of series) {
    const value = values[index] ?? null;
    if (value !== null) sum = (sum ?? 0) + value;
  }
  return sum;
}

/** Series as they are drawn: bars upon each other, the topmost first so that those below it cover it; then the lines as they are. */
export function stackSeries(series: readonly ChartSeries[]): readonly ChartSeries[] {
  const bars = series.filter(({ kind }) => kind === "bars");
  const stacked = bars.map((each, place) => ({
    ...each,
    values: each.values.map((_, index) => sumAt(bars.slice(0, place + 1), index)),
  }));
  return [...stacked.toReversed(), ...series.filter(({ kind }) => kind !== "bars")];
}
