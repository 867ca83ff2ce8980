/** One-sided 95 % quantile of the normal distribution. */
const normal95 = 1.645;
/** One-sided 95 % quantile of Student's distribution with nine degrees of freedom. */
const student95 = 1.833;
export const sliceCount = 10;

export interface ShareBounds {
  readonly share: number;
  /** The true share is above `lower`, and below `upper`, with a confidence of 95 % each. */
  readonly lower: number;
  readonly upper: number;
}

/** Wilson's score interval ("Probable inference", 1927), which holds for shares near 0 too. */
function wilson(hits: number, total: number): { readonly lower: number; readonly upper: number } {
  const z2 = normal95 ** 2;
  const share = hits / total;
  const middle = (share + z2 / (2 * total)) / (1 + z2 / total);
  const half = (normal95 * Math.sqrt((share * (1 - share)) / total + z2 / (4 * total ** 2))) / (1 + z2 / total);
  return { lower: middle - half, upper: middle + half };
}

/**
 * Bounds of a share. Requests in a queue resemble their neighbours, so that they say less than as many independent ones: the spread of ten slices
 * of time shows that (the method of batch means), and the wider of the two intervals counts.
 * @param hits marks of the requests, in order of time
 */
export function shareBounds(hits: readonly boolean[]): ShareBounds {
  const count = (marks: readonly boolean[]) => marks.reduce((sum, hit) => sum + (hit ? 1 : 0), 0);
  const total = hits.length;
  if (total === 0) return { share: 0, lower: 0, upper: 1 };
  const share = count(hits) / total;
  const { lower, upper } = wilson(count(hits), total);
  const size = Math.floor(total / sliceCount);
  if (size === 0) return { share, lower, upper };
  const slices = Array.from({ length: sliceCount }, (_, i) => count(hits.slice(i * size, (i + 1) * size)) / size);
  const mean = slices.reduce((sum, each) => sum + each, 0) / sliceCount;
  const variance = slices.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (sliceCount - 1);
  const half = student95 * Math.sqrt(variance / sliceCount);
  return { share, lower: Math.min(lower, share - half), upper: Math.max(upper, share + half) };
}
