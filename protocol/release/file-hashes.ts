/** Size and hashes of a file, as a manifest tells them. */
export interface FileHashes {
  readonly size: number;
  readonly sha256: string;
  readonly blake2b: string;
}

/** Counts and hashes bytes as they come. */
export class RunningHashes {
  readonly #sha256 = new Bun.CryptoHasher("sha256");
  readonly #blake2b = new Bun.CryptoHasher("blake2b512");
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array): void {
    this.#size += bytes.byteLength;
    this.#sha256.update(bytes);
    this.#blake2b.update(bytes);
  }

  /** Ends the count; nothing can be added afterwards. */
  end(): FileHashes {
    return { size: this.#size, sha256: this.#sha256.digest("hex"), blake2b: this.#blake2b.digest("hex") };
  }
}

export function hashBytes(bytes: Uint8Array): FileHashes {
  const hashes = new RunningHashes();
  hashes.add(bytes);
  return hashes.end();
}

/**
 * Hashes a file piece by piece.
 * @param maxBytes more is an error, before it is read
 */
export async function hashFile(path: string, maxBytes: number): Promise<FileHashes> {
  const hashes = new RunningHashes();
  for await (const bytes of Bun.file(path).stream()) {
    if (hashes.size + bytes.byteLength > maxBytes)
      throw new Error(`${path}: expected at most ${maxBytes} bytes, got more`);
    hashes.add(bytes);
  }
  return hashes.end();
}
