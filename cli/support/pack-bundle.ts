import { gzipSync } from "node:zlib";
import { cleanOutput } from "#platform/clean-text.ts";
import { describeError } from "#platform/errors.ts";

/** Piece of a bundle. */
export interface BundlePart {
  /** Name of its file. */
  readonly name: string;
  readonly holds: string;
  /** Rejects with the reason when it can't be had. */
  make(): Promise<string>;
  /** End that is kept of a text that is too long: of a log the newest. */
  readonly keeps?: "beginning" | "end";
}

export interface Bundle {
  readonly files: ReadonlyMap<string, string>;
  /** List of the contents and of missing parts, for people to read. */
  readonly contents: string;
}

const maxPartCharacters = 1024 * 1024;

function bounded(text: string, keeps: "beginning" | "end"): string {
  if (text.length <= maxPartCharacters) return text;
  const note = `(cut: ${text.length} characters)`;
  return keeps === "end"
    ? `${note}\n${text.slice(-maxPartCharacters)}`
    : `${text.slice(0, maxPartCharacters)}\n${note}`;
}

/** Makes all pieces, hides the secrets in them, and lists what came of it. */
export async function collectBundle(parts: readonly BundlePart[], hide: (text: string) => string): Promise<Bundle> {
  const files = new Map<string, string>();
  const there: string[] = [];
  const missing: string[] = [];
  const made = await Promise.allSettled(parts.map((part) => part.make()));
  for (const [index, { name, holds, keeps = "beginning" }] of parts.entries()) {
    const result = made[index] as PromiseSettledResult<string>;
    // Hidden before it is cut: half of a secret would not be known.
    if (result.status === "fulfilled") {
      const text = `${bounded(cleanOutput(hide(result.value)), keeps).trimEnd()}\n`;
      files.set(name, text);
      there.push(`  ${name.padEnd(24)} ${String(Buffer.byteLength(text)).padStart(8)} bytes  ${holds}`);
    } else
      missing.push(`  ${name.padEnd(24)} ${cleanOutput(hide(describeError(result.reason))).replaceAll("\n", " ")}`);
  }
  const contents = ["In it:", ...there, ...(missing.length === 0 ? [] : ["", "Not available:", ...missing])].join("\n");
  files.set("contents.txt", `${contents}\n`);
  return { files, contents };
}

/** Packs the files as tar.gz, in a directory of this name. */
export async function packBundle(files: ReadonlyMap<string, string>, directory: string): Promise<Uint8Array> {
  const entries = [...files].map(([name, text]) => [`${directory}/${name}`, text] as const);
  return gzipSync(await new Bun.Archive(Object.fromEntries(entries)).bytes());
}
