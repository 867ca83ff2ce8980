import { readRegularFile } from "#platform/files/read-regular-file.ts";

/** Weights that are loaded whole are smaller. */
const maxBytes = 8 * 1024 ** 3;

/**
 * Reads a model's file and checks its hash.
 * @throws Error naming the file when it is missing or has another hash.
 */
export async function readVerifiedFile(path: string, sha256: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readRegularFile(path, maxBytes);
  const actual = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  if (actual !== sha256) {
    throw new Error(`${path} does not match the manifest: expected sha256 ${sha256}, got ${actual}`);
  }
  return bytes;
}
