import { parseReleaseKey, type ReleaseKey } from "./minisign.ts";

/** Public keys that scripts/build puts in, one a line; missing when the program runs from its sources. */
declare const THORMESH_RELEASE_KEYS: string | undefined;

/** Keys that a build knows at most: the one that signs, and the next one, so that a lost key can be replaced by an update. */
const maxReleaseKeys = 2;

/** @throws Error for a line that is no public key of minisign, for the same key twice and for too many */
export function parseReleaseKeys(text: string): readonly ReleaseKey[] {
  const keys = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !line.startsWith("untrusted comment:"))
    .map(parseReleaseKey);
  if (keys.length > maxReleaseKeys)
    throw new Error(`release keys: expected at most ${maxReleaseKeys} (current and next), got ${keys.length}`);
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error("release keys: the same key twice");
  return keys;
}

/** Keys whose signatures this program takes; none in a build that was made without. */
export const releaseKeys: readonly ReleaseKey[] = parseReleaseKeys(
  typeof THORMESH_RELEASE_KEYS === "undefined" ? "" : THORMESH_RELEASE_KEYS,
);
