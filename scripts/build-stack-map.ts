import { basename, relative, resolve } from "node:path";
import { type ChunkMap, notOurs, type StackMaps } from "#platform/terminal/stack-map.ts";

/** Output of the bundler: a chunk's source map among others. */
export interface BundledFile {
  readonly path: string;
  readonly kind: string;
  text(): Promise<string>;
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** A digit has five bits of a number and one that says whether more follow; the lowest bit of the number is its sign. */
const [digitBits, digitMask] = [5, 0b1_1111];

function* decodeNumbers(text: string): Generator<number> {
  let [value, shift] = [0, 0];
  for (const character of text) {
    const digit = digits.indexOf(character);
    value |= (digit & digitMask) << shift;
    shift += digitBits;
    if (digit > digitMask) continue;
    yield (value & 1) === 0 ? value >>> 1 : -(value >>> 1);
    [value, shift] = [0, 0];
  }
}

function encodeNumber(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = "";
  do {
    const more = rest > digitMask ? digitMask + 1 : 0;
    text += digits[(rest & digitMask) | more];
    rest >>>= digitBits;
  } while (rest > 0);
  return text;
}

/** Beginning of a stretch of generated code; source null: it is not ours. */
interface Stretch {
  readonly column: number;
  readonly source: string | null;
  readonly line: number;
}

function* stretchesOf(line: string, sources: readonly string[], at: { source: number; line: number; column: number }) {
  let column = 0;
  for (const segment of line.split(",")) {
    const [columns = 0, source, lines = 0, originalColumns = 0] = [...decodeNumbers(segment)];
    column += columns;
    if (source !== undefined) {
      at.source += source;
      at.line += lines;
      at.column += originalColumns;
    }
    yield { column, source: source === undefined ? null : (sources[at.source] as string), line: at.line };
  }
}

/**
 * Reduces a source map to our own files and their lines: one of everything would make the executable eight megabytes larger.
 * @param own path of a file below the project's root; null for a package's
 */
export function reduceMap(
  map: { readonly sources: readonly string[]; readonly mappings: string },
  own: (source: string) => string | null,
): ChunkMap {
  const sources: string[] = [];
  const read = { source: 0, line: 0, column: 0 };
  const written = { source: 0, line: 0 };
  const encode = (stretches: Iterable<Stretch>): string => {
    let before = { column: 0, source: "", line: 0 };
    const segments: string[] = [];
    for (const { column, source, line } of stretches) {
      const path = (source === null ? null : own(source)) ?? notOurs;
      const now = { column, source: path, line: path === notOurs ? 0 : line };
      if (now.source === before.source && now.line === before.line && segments.length > 0) continue;
      const index = sources.includes(path) ? sources.indexOf(path) : sources.push(path) - 1;
      segments.push(
        [now.column - before.column, index - written.source, now.line - written.line, 0].map(encodeNumber).join(""),
      );
      Object.assign(written, { source: index, line: now.line });
      before = now;
    }
    return segments.join(",");
  };
  const lines = map.mappings
    .split(";")
    .map((line) => (line === "" ? "" : encode(stretchesOf(line, map.sources, read))));
  return { sources, mappings: lines.join(";") };
}

/**
 * Returns the maps of all chunks by their names.
 * @param root directory that the sources' paths are below
 */
export async function stackMaps(outputs: readonly BundledFile[], root: string): Promise<StackMaps> {
  // Without a directory for its outputs the bundler names sources from the working directory.
  const own = (source: string) => {
    const path = relative(root, resolve(source));
    return path.startsWith("..") || path.split("/").includes("node_modules") ? null : path;
  };
  const maps: Record<string, ChunkMap> = {};
  for (const output of outputs) {
    if (output.kind !== "sourcemap") continue;
    const map = reduceMap(JSON.parse(await output.text()), own);
    if (map.sources.some((source) => source !== notOurs)) maps[basename(output.path, ".map")] = map;
  }
  return Object.fromEntries(Object.entries(maps).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
