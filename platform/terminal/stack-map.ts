import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { SourceMap } from "node:module";

/** Mappings of a chunk of the compiled executable as source maps have them: of our own files, by line only. */
export interface ChunkMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/** Source of code that is a package's: its places stay as they are. */
export const notOurs = "";
/** Last bytes of an executable with maps; before them stand their length in four bytes and the maps themselves. */
const mark = new TextEncoder().encode("\nthormesh stack maps\n");
const lengthBytes = 4;
const maxPackedBytes = 16 * 1024 * 1024;
const framePattern = /\/\$bunfs\/root\/([\w.-]+):(\d+):(\d+)/g;

export type StackMaps = Readonly<Record<string, ChunkMap>>;

/** Packs the maps of all chunks, by their names, as they stand at the end of the executable. */
export function packStackMaps(maps: StackMaps): Uint8Array {
  const packed = Bun.zstdCompressSync(JSON.stringify(maps), { level: 19 });
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32LE(packed.byteLength);
  return Buffer.concat([packed, length, mark]);
}

/** Reads the maps at the end of an executable; none where it has none. */
export function readStackMaps(path: string): StackMaps {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const read = (from: number, bytes: number) => {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(file, buffer, 0, bytes, from));
    };
    const end = size - lengthBytes - mark.byteLength;
    const tail = read(Math.max(0, end), lengthBytes + mark.byteLength);
    if (end < 0 || !tail.subarray(lengthBytes).equals(mark)) return {};
    const length = tail.readUInt32LE();
    if (length > Math.min(end, maxPackedBytes)) return {};
    return JSON.parse(new TextDecoder().decode(Bun.zstdDecompressSync(read(end - length, length))));
  } finally {
    closeSync(file);
  }
}

/** Returns a function that names our files in stack traces, where the maps of the chunks know them. */
export function createStackRestorer(read: () => StackMaps): (stack: string) => string {
  let maps: StackMaps | undefined;
  const opened = new Map<string, SourceMap>();
  return (stack) =>
    stack.replace(framePattern, (frame, chunk: string, line: string, column: string) => {
      maps ??= read();
      const map = maps[chunk];
      if (map === undefined) return frame;
      const payload = { version: 3, file: chunk, sourceRoot: "", sourcesContent: [], names: [], ...map };
      const sourceMap = opened.get(chunk) ?? new SourceMap({ ...payload, sources: [...map.sources] });
      opened.set(chunk, sourceMap);
      const entry = sourceMap.findEntry(Number(line) - 1, Number(column) - 1);
      return "originalSource" in entry && entry.originalSource !== undefined && entry.originalSource !== notOurs
        ? `${entry.originalSource}:${entry.originalLine + 1}`
        : frame;
    });
}

/** Names our files in a stack trace of the compiled executable, instead of the chunks that the bundler made of them. */
export const restoreStack = createStackRestorer(() => readStackMaps("/proc/self/exe"));
