/** Number of letters to change, add, remove or swap with a neighbour to turn one word into the other (optimal string alignment). */
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

/** Number of letters with which both words begin: those are seldom mistyped. */
function sharedBeginning(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
/** Length limit of a typo: longer input is not one. */
const maxNameCharacters = 128;

/**
 * Known names that may have been meant, the nearest first, of equally near ones those that begin alike: those that contain what was written or are contained in it, and those that differ in
 * at most a quarter of their letters. Case and punctuation don't count.
 */
export function nearNames(written: string, known: readonly string[], max = 3): string[] {
  const wanted = plain(written);
  if (wanted.length < 2 || wanted.length > maxNameCharacters) return [];
  return known
    .map((name) => {
      const candidate = plain(name.slice(name.lastIndexOf("/") + 1));
      const distance = editDistance(wanted, candidate);
      const contained = candidate.includes(wanted) || (candidate.length > 3 && wanted.includes(candidate));
      const near = contained || distance <= Math.max(1, Math.floor(Math.max(candidate.length, wanted.length) / 4));
      return { name, near, distance, begins: sharedBeginning(wanted, candidate) };
    })
    .filter(({ near }) => near)
    .sort((a, b) => a.distance - b.distance || b.begins - a.begins)
    .slice(0, max)
    .map(({ name }) => name);
}

/** `; did you mean A or B?`; "" where no known name is near. */
export function suggest(written: string, known: readonly string[]): string {
  const names = nearNames(written, known);
  return names.length === 0 ? "" : `; did you mean ${names.join(" or ")}?`;
}
