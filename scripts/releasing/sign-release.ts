import { join } from "node:path";
import { hashBytes, hashFile } from "#protocol/release/file-hashes.ts";
import { commentToText } from "#protocol/release/release-comment.ts";
import {
  manifestName,
  maxReleaseFileBytes,
  parseManifest,
  type ReleaseFile,
  type ReleaseFileKind,
  type ReleaseManifest,
  type ReleaseTarget,
  releaseTimes,
  signatureSuffix,
} from "#protocol/release/release-manifest.ts";
import { type SigningKey, signHash } from "./sign-file.ts";

/** File of a release before it was hashed. */
export interface FileToRelease {
  readonly name: string;
  readonly kind: ReleaseFileKind;
  readonly target: ReleaseTarget | null;
}

export type ReleaseFacts = Pick<ReleaseManifest, "version" | "releasedAt" | "expires" | "minVersion" | "revoked">;

/**
 * Writes the manifest of a release into its directory, and a signature beside it and beside each file.
 * @param key null: nothing is signed
 */
export async function writeManifest(
  directory: string,
  facts: ReleaseFacts,
  filesToRelease: readonly FileToRelease[],
  key: SigningKey | null,
): Promise<ReleaseManifest> {
  const files: ReleaseFile[] = [];
  for (const file of filesToRelease)
    files.push({ ...file, ...(await hashFile(join(directory, file.name), maxReleaseFileBytes)) });
  const { version, releasedAt, expires, minVersion, revoked } = facts;
  const manifest = {
    ...{ format: 1, product: "thormesh" },
    ...{ version, releasedAt, expires, minVersion, revoked, files },
  } as const;
  const bytes = new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
  const checked = parseManifest(bytes);
  await Bun.write(join(directory, manifestName), bytes);
  if (key === null) return checked;
  const timestamp = releaseTimes(checked).releasedAtMs / 1000;
  for (const { name, target, sha256, blake2b } of [
    ...files,
    { name: manifestName, target: null, ...hashBytes(bytes) },
  ]) {
    const comment = commentToText({ file: name, version, target: target ?? "any", sha256, timestamp });
    await Bun.write(join(directory, `${name}${signatureSuffix}`), signHash(key, Buffer.from(blake2b, "hex"), comment));
  }
  return checked;
}
