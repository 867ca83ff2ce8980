/** Version under which ONNX Runtime's libraries export their one entry. */
const versionName = /^VERS_\d+\.\d+\.\d+$/;

/** Hash of a symbol version's name by the System V ABI, which the loader compares before the name. */
function elfHash(name: string): number {
  let hash = 0;
  for (const char of name) {
    hash = ((hash << 4) + char.charCodeAt(0)) >>> 0;
    const high = hash & 0xf0000000;
    if (high !== 0) hash ^= high >>> 24;
    hash = (hash & ~high) >>> 0;
  }
  return hash;
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Returns the version that an ONNX Runtime library exports or that an addon needs, like 1.30.0; null for other files. */
export function symbolVersion(bytes: Uint8Array): string | null {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = file.indexOf("\0VERS_"); start >= 0; start = file.indexOf("\0VERS_", start + 1)) {
    const end = file.indexOf(0, start + 1);
    const name = file.toString("latin1", start + 1, end);
    if (end - start < 32 && versionName.test(name)) return name.slice("VERS_".length);
  }
  return null;
}

/**
 * Returns a copy of an addon that takes a library of another version. The loader refuses any version but the one that the addon was linked
 * with, although ONNX Runtime provides every older interface by number, so that a newer library serves an older addon. One name in the addon
 * and that name's hash tie them; both are replaced.
 * @throws Error when the file has no such name or the new one is longer.
 */
export function withSymbolVersion(addon: Uint8Array, version: string): Uint8Array {
  const from = symbolVersion(addon);
  if (from === version) return addon;
  if (from === null || version.length > from.length)
    throw new Error(`an addon for ONNX Runtime ${from ?? "of no known version"} can't be used with ${version}`);
  const copy = Buffer.from(addon);
  const oldName = `VERS_${from}\0`;
  const newName = `VERS_${version}`.padEnd(oldName.length, "\0");
  const oldHash = littleEndian(elfHash(`VERS_${from}`));
  const newHash = littleEndian(elfHash(`VERS_${version}`));
  const places = [copy.indexOf(`\0${oldName}`) + 1, copy.indexOf(oldHash)];
  if (places.some((place) => place <= 0) || copy.indexOf(oldHash, (places[1] as number) + 1) >= 0)
    throw new Error(`the addon's version ${from} can't be told from other data in it`);
  copy.write(newName, places[0] as number, "latin1");
  newHash.copy(copy, places[1] as number);
  return copy;
}
