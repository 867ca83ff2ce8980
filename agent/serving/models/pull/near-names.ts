/** Edit distance: letters changed, added, left out or swapped with their neighbour to turn one word into the other. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const costs = [(previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1)];
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) costs.push((before[j - 2] ?? 0) + 1);
      row.push(Math.min(...costs));
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
/** Longer input is not a typo. */
const maxNameLength = 128;

/**
 * Lists the known names that a typo may stand for, the likeliest first: those that contain the written name or are contained in it, and
 * those that differ in at most a quarter of their letters. Case and punctuation are ignored.
 */
export function nearNames(written: string, known: readonly string[], maxNames = 3): string[] {
  const wanted = plain(written);
  if (wanted.length < 2 || wanted.length > maxNameLength) return [];
  return known
    .map((name) => {
      const candidate = plain(name.slice(name.lastIndexOf("/") + 1));
      const distance = editDistance(wanted, candidate);
      const contained = candidate.includes(wanted) || (candidate.length > 3 && wanted.includes(candidate));
      const near = contained || distance <= Math.max(1, Math.floor(Math.max(candidate.length, wanted.length) / 4));
      return { name, near, distance };
    })
    .filter(({ near }) => near)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, maxNames)
    .map(({ name }) => name);
}

/** Returns `; did you mean A or B?`, or nothing when no known name is near. */
export function suggest(written: string, known: readonly string[]): string {
  const names = nearNames(written, known);
  return names.length === 0 ? "" : `; did you mean ${names.join(" or ")}?`;
}
