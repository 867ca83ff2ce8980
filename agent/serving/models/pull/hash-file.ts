import { closeSync } from "node:fs";
import { isCarried, readCarriedFile } from "#platform/files/carried-file.ts";
import { openRegularFile } from "#platform/files/read-regular-file.ts";

const hashBytes = (bytes: Uint8Array) => ({
  bytes: bytes.byteLength,
  sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex"),
  gitSha1: new Bun.CryptoHasher("sha1").update(`blob ${bytes.byteLength}\0`).update(bytes).digest("hex"),
});

/** Hashes a file in pieces, because models may be larger than memory. `gitSha1` is the name of a git object with its content. */
export async function hashFile(path: string) {
  if (isCarried(path)) return hashBytes(await readCarriedFile(path));
  // Reading a pipe would never end.
  closeSync(openRegularFile(path));
  const file = Bun.file(path);
  const bytes = file.size;
  const sha256 = new Bun.CryptoHasher("sha256");
  const sha1 = new Bun.CryptoHasher("sha1").update(`blob ${bytes}\0`);
  for await (const piece of file.stream()) {
    sha256.update(piece);
    sha1.update(piece);
  }
  return { bytes, sha256: sha256.digest("hex"), gitSha1: sha1.digest("hex") };
}
