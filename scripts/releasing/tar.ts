/** Archives that are the same for the same content: names in order, one time for all, no names of users. */

export type TarEntry = {
  /** Without a leading slash. */
  readonly path: string;
  /** Owner and group; 0 without. */
  readonly owner?: number;
} & (
  | { readonly kind: "file"; readonly mode: number; readonly content: Uint8Array | string }
  | { readonly kind: "directory"; readonly mode: number }
  | { readonly kind: "link"; readonly target: string }
);

const blockBytes = 512;
const encoder = new TextEncoder();
const types = { file: "0", link: "2", directory: "5" } as const;

/** Writes text into a header, padded by zeros. @throws Error for text that does not fit */
function put(header: Uint8Array, offset: number, length: number, text: string): void {
  const bytes = encoder.encode(text);
  if (bytes.byteLength > length) throw new Error(`archive: ${text} has more than ${length} bytes`);
  header.set(bytes, offset);
}

/** Splits a name that is too long for one field at a slash. */
function nameAndPrefix(path: string): readonly [string, string] {
  if (encoder.encode(path).byteLength <= 100) return [path, ""];
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
    if (path.length - slash - 1 <= 100 && slash <= 155) return [path.slice(slash + 1), path.slice(0, slash)];
  throw new Error(`archive: ${path} is too long a name`);
}

function headerOf(entry: TarEntry, bytes: number, atS: number): Uint8Array {
  const header = new Uint8Array(blockBytes);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  const [name, prefix] = nameAndPrefix(entry.kind === "directory" ? `${entry.path}/` : entry.path);
  put(header, 0, 100, name);
  put(header, 100, 8, octal(entry.kind === "link" ? 0o777 : entry.mode, 7));
  put(header, 108, 8, octal(entry.owner ?? 0, 7));
  put(header, 116, 8, octal(entry.owner ?? 0, 7));
  put(header, 124, 12, octal(bytes, 11));
  put(header, 136, 12, octal(atS, 11));
  put(header, 148, 8, "        ");
  put(header, 156, 1, types[entry.kind]);
  if (entry.kind === "link") put(header, 157, 100, entry.target);
  put(header, 257, 8, "ustar\x0000");
  put(header, 345, 155, prefix);
  put(
    header,
    148,
    8,
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
  );
  return header;
}

/** Adds the directories above each entry that are not there themselves. */
function withParents(entries: readonly TarEntry[]): TarEntry[] {
  const all = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries)
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      if (!all.has(parent)) all.set(parent, { path: parent, kind: "directory", mode: 0o755 });
    }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Packs entries as ustar.
 * @param atS time of all entries, in seconds since 1970
 * @param prefix put before each name; Debian's packages have "./"
 */
export function packTar(entries: readonly TarEntry[], atS: number, prefix = ""): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const entry of withParents(entries)) {
    const content = entry.kind === "file" ? entry.content : "";
    const bytes = typeof content === "string" ? encoder.encode(content) : content;
    parts.push(headerOf({ ...entry, path: prefix + entry.path }, bytes.byteLength, atS), bytes);
    parts.push(new Uint8Array((blockBytes - (bytes.byteLength % blockBytes)) % blockBytes));
  }
  parts.push(new Uint8Array(2 * blockBytes));
  return new Uint8Array(Buffer.concat(parts));
}

/** Packs members as `ar` does, which is what a Debian package is. */
export function packAr(members: readonly (readonly [string, Uint8Array])[], atS: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [encoder.encode("!<arch>\n")];
  for (const [name, bytes] of members) {
    const fields = [name.padEnd(16), String(atS).padEnd(12), "0".padEnd(6), "0".padEnd(6), "100644".padEnd(8)];
    parts.push(encoder.encode(`${fields.join("")}${String(bytes.byteLength).padEnd(10)}\`\n`), bytes);
    if (bytes.byteLength % 2 === 1) parts.push(encoder.encode("\n"));
  }
  return new Uint8Array(Buffer.concat(parts));
}
