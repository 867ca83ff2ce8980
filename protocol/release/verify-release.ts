import { type FileHashes, hashBytes, hashFile } from "./file-hashes.ts";
import { parseSignature, type ReleaseKey, verifySignature } from "./minisign.ts";
import { parseComment, type ReleaseComment } from "./release-comment.ts";
import {
  manifestName,
  maxManifestBytes,
  maxReleaseFileBytes,
  parseManifest,
  type ReleaseFile,
  type ReleaseManifest,
  releaseTimes,
} from "./release-manifest.ts";

const same = (field: string, expected: string | number, got: string | number) => {
  if (expected !== got) throw new Error(`${field}: expected ${expected}, got ${got}`);
};

function verifyHashes(keys: readonly ReleaseKey[], signatureText: string, hashes: FileHashes): ReleaseComment {
  const signature = parseSignature(signatureText);
  verifySignature(keys, signature, Buffer.from(hashes.blake2b, "hex"));
  const comment = parseComment(signature.trustedComment);
  same("trusted comment: sha256", hashes.sha256, comment.sha256);
  return comment;
}

/**
 * Checks a manifest's signature, then its fields. Does not judge its age: whether it is expired, or older than one that was seen before.
 * @throws Error that says what does not hold
 */
export function verifyManifest(bytes: Uint8Array, signatureText: string, keys: readonly ReleaseKey[]): ReleaseManifest {
  // Before anything is hashed or parsed.
  if (bytes.byteLength > maxManifestBytes)
    throw new Error(`release manifest: expected at most ${maxManifestBytes} bytes, got ${bytes.byteLength}`);
  const comment = verifyHashes(keys, signatureText, hashBytes(bytes));
  same("trusted comment: file", manifestName, comment.file);
  const manifest = parseManifest(bytes);
  same("trusted comment: version", manifest.version, comment.version);
  same("trusted comment: timestamp", releaseTimes(manifest).releasedAtMs / 1000, comment.timestamp);
  return manifest;
}

/**
 * Compares a file with its line in a verified manifest.
 * @throws Error that says what differs
 */
export async function verifyListedFile(path: string, listed: ReleaseFile): Promise<void> {
  compareWithListed(await hashFile(path, listed.size), listed);
}

/** Compares what was counted while a file came with its line in a verified manifest. @throws Error that says what differs */
function compareWithListed(hashes: FileHashes, listed: ReleaseFile): void {
  same(`${listed.name}: size`, listed.size, hashes.size);
  same(`${listed.name}: sha256`, listed.sha256, hashes.sha256);
  same(`${listed.name}: blake2b`, listed.blake2b, hashes.blake2b);
}

/**
 * Checks a file by the signature that lies beside it, without a manifest: for an update from a file.
 * @returns its name, version and target, as they were signed
 * @throws Error that says what does not hold
 */
export async function verifySignedFile(
  path: string,
  signatureText: string,
  keys: readonly ReleaseKey[],
): Promise<ReleaseComment> {
  return verifyHashes(keys, signatureText, await hashFile(path, maxReleaseFileBytes));
}
