import { keyToText, type ReleaseKey } from "#protocol/release/minisign.ts";

const line = /^ {2}default_key=$/m;

/**
 * Puts the public key of the releases into the installer, so that what it fetches must be signed by it.
 * @param key null: a build without keys, whose installer takes what a hash describes
 */
export function withReleaseKey(installer: string, key: ReleaseKey | null): string {
  if (!line.test(installer)) throw new Error("the installer has no line for the key of the releases. This is a bug.");
  return key === null ? installer : installer.replace(line, `  default_key=${keyToText(key)}`);
}
