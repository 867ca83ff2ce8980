const insideExecutable = "/$bunfs/";
const compressedSuffix = ".zst";

/** True for the path of a file that lies inside the compiled executable: only {@link readCarriedFile} reads it as it was. */
export const isCarried = (path: string) => path.startsWith(insideExecutable);

/** Reads a file that is imported with `type: "file"`: inside the executable, where the build compresses large ones, or in the source tree. */
export async function readCarriedFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await Bun.file(path).bytes();
  if (!isCarried(path) || !path.endsWith(compressedSuffix)) return bytes;
  return new Uint8Array(await Bun.zstdDecompress(bytes));
}

/** Reads such a file as UTF-8 text. */
export async function readCarriedText(path: string): Promise<string> {
  return new TextDecoder().decode(await readCarriedFile(path));
}
