/** Values below which a rise may be chance. */
const minValues = 60;

/**
 * Tells if values look like a running total (a counter, read without PromQL's `rate` or `increase`): none is lower than the one before, and most
 * are higher. Traffic is never so regular.
 */
export function looksLikeRunningTotal(values: readonly (number | null)[]): boolean {
  const known = values.filter((value) => value !== null);
  let rises = 0;
  for (let index = 1; index < known.length; index += 1) {
    const [before, value] = [known[index - 1] as number, known[index] as number];
    if (value < before) return false;
    if (value > before) rises += 1;
  }
  return known.length >= minValues && rises > known.length / 2;
}
