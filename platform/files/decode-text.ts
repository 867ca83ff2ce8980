import { UsageError } from "#platform/errors.ts";

/** Encodings named by the mark at a text's beginning; without one it is UTF-8. */
const marks = [
  { bytes: [0xff, 0xfe], encoding: "utf-16le" },
  { bytes: [0xfe, 0xff], encoding: "utf-16be" },
] as const;

/**
 * Decodes the text of a file that a person or another program wrote: UTF-8, or UTF-16 with a byte order mark.
 * @throws UsageError naming `source`: other encodings would lose characters.
 */
export function decodeText(bytes: Uint8Array, source: string): string {
  const encoding = marks.find((mark) => mark.bytes.every((byte, index) => bytes[index] === byte))?.encoding ?? "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`${source} is not text in UTF-8`, { cause });
  }
}
