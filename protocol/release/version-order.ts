/** Text of a version as releases have it: three numbers, and for a release before one a name as in 1.2.0-rc.1. */
export const versionPattern = "^(0|[1-9][0-9]{0,5})(\\.(0|[1-9][0-9]{0,5})){2}(-[0-9A-Za-z]+(\\.[0-9A-Za-z]+){0,7})?$";

const numeric = /^[0-9]+$/;

function comparePart(one: string, other: string): number {
  const isNumber = [numeric.test(one), numeric.test(other)] as const;
  if (isNumber[0] && isNumber[1]) return Math.sign(Number(one) - Number(other));
  if (isNumber[0] !== isNumber[1]) return isNumber[0] ? -1 : 1;
  return one === other ? 0 : one < other ? -1 : 1;
}

interface VersionParts {
  readonly numbers: readonly string[];
  readonly names: readonly string[] | null;
}

function partsOf(version: string): VersionParts {
  const dash = version.indexOf("-");
  if (dash < 0) return { numbers: version.split("."), names: null };
  return { numbers: version.slice(0, dash).split("."), names: version.slice(dash + 1).split(".") };
}

/** Compares versions in the order of semver 2: negative where `one` is the older, 0 where they are the same. */
export function compareVersions(one: string, other: string): number {
  const [first, second] = [partsOf(one), partsOf(other)];
  for (let index = 0; index < 3; index += 1) {
    const order = comparePart(first.numbers[index] ?? "0", second.numbers[index] ?? "0");
    if (order !== 0) return order;
  }
  if (first.names === null || second.names === null)
    return Number(first.names === null) - Number(second.names === null);
  for (const [index, name] of first.names.entries()) {
    const otherName = second.names[index];
    const order = otherName === undefined ? 1 : comparePart(name, otherName);
    if (order !== 0) return order;
  }
  return first.names.length - second.names.length;
}
