const dayMinutes = 1440;
/** Half of the hour around the same time that is averaged. */
const aroundMinutes = 30;

/**
 * Usual rate at that time of day: the lower of the means of that hour yesterday and a week ago, as far as they are known. Traffic that has
 * vanished all at once may come back all at once. Null when yesterday is unknown.
 * @param totals sums of the rates up to each minute: totals[0] is 0, totals[n] the sum of the first n.
 */
export function seasonalFloorQps(totals: ArrayLike<number>, minute: number): number | null {
  const known = totals.length - 1;
  const meanAround = (centre: number) => {
    const from = Math.max(0, centre - aroundMinutes);
    const to = Math.min(known, centre + aroundMinutes);
    return to > from && centre >= 0 ? ((totals[to] as number) - (totals[from] as number)) / (to - from) : null;
  };
  const yesterday = meanAround(minute - dayMinutes);
  const weekAgo = meanAround(minute - 7 * dayMinutes);
  if (yesterday === null) return null;
  return weekAgo === null ? yesterday : Math.min(yesterday, weekAgo);
}
