/** Stretch of a trace with zeros although the source was down or did not count. */
export interface Outage {
  readonly startIndex: number;
  readonly length: number;
}

const minOutageSteps = 10;
const levelSteps = 60;
/** Expected events in a run of zeros that make it an outage: a Poisson stream stays silent with probability e^-30. */
const improbableEvents = 30;

/**
 * Finds runs of ten or more zeros in which the rate of the hour before would have brought 30 events or more: the source was down, not quiet,
 * so the run says nothing about demand.
 */
export function findOutages(counts: readonly (number | null)[]): Outage[] {
  const outages: Outage[] = [];
  let index = 0;
  while (index < counts.length) {
    if (counts[index] !== 0) {
      index += 1;
      continue;
    }
    let end = index;
    while (counts[end] === 0) end += 1;
    const before = counts.slice(Math.max(0, index - levelSteps), index).filter((count) => count !== null);
    const level = before.length === 0 ? 0 : before.reduce((sum, count) => sum + count, 0) / before.length;
    const length = end - index;
    if (length >= minOutageSteps && level * length >= improbableEvents) outages.push({ startIndex: index, length });
    index = end;
  }
  return outages;
}

/** Returns the counts with each outage turned into a gap. */
export function withoutOutages(counts: readonly (number | null)[], outages: readonly Outage[]): (number | null)[] {
  const result = [...counts];
  for (const { startIndex, length } of outages) result.fill(null, startIndex, startIndex + length);
  return result;
}
