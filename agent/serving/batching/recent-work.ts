import { turnAfter } from "./fair-queue.ts";

/** Model time used by a tenant's recent requests, by size. */
export type RecentWork = ReturnType<typeof createRecentWork>;

const halfLifeMs = 5_000;
/** Classes of size by powers of two, from one token to more than any request has. */
const classes = 32;

function classOf(size: number): number {
  return Math.min(classes - 1, Math.floor(Math.log2(Math.max(1, size))));
}

export function createRecentWork() {
  const work = new Float64Array(classes);
  let lastMs = 0;
  const fade = (atMs: number) => {
    const keep = 0.5 ** (Math.max(0, atMs - lastMs) / halfLifeMs);
    lastMs = Math.max(lastMs, atMs);
    for (let index = 0; index < classes; index += 1) work[index] = (work[index] as number) * keep;
  };
  return {
    /** @param size tokens of the whole request */
    record(size: number, cost: number, atMs: number) {
      fade(atMs);
      const index = classOf(size);
      work[index] = (work[index] as number) + cost;
    },
    /**
     * Work per millisecond for smaller requests that would be served before one of `size` although they come later, if they go on coming as of
     * late: the less the larger they are. A large request gets what they leave.
     */
    passing(size: number, atMs: number): number {
      fade(atMs);
      let sum = 0;
      for (let index = 0; index < classOf(size); index += 1) {
        const passes = turnAfter(size) - turnAfter(2 ** (index + 1));
        sum += (work[index] as number) * Math.max(0, passes / size);
      }
      return (sum * Math.LN2) / halfLifeMs;
    },
  };
}
