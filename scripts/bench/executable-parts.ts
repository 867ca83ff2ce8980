/** Prints what the parts of a compiled executable weigh: bun scripts/bench/executable-parts.ts FILE [--json] */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { printRows } from "./print-rows.ts";

const [path, option] = process.argv.slice(2);
if (path === undefined) throw new Error("expected a compiled executable");
const bytes = readFileSync(path);

/** End of Bun's list of modules; the numbers before it say where the list lies. */
const mark = Buffer.from("\n---- Bun! ----\n");
const end = bytes.lastIndexOf(mark);
if (end < 0) throw new Error(`${path}: expected a compiled executable, got none`);
const byteCount = Number(bytes.readBigUInt64LE(end - 32));
const start = end - 32 - byteCount;
const [listAt, listBytes] = [bytes.readUInt32LE(end - 24), bytes.readUInt32LE(end - 20)];
const moduleBytes = 52;

const weights = new Map<string, number>();
const add = (part: string, size: number) => weights.set(part, (weights.get(part) ?? 0) + size);
for (let at = start + listAt; at < start + listAt + listBytes; at += moduleBytes) {
  const number = (index: number) => bytes.readUInt32LE(at + index * 4);
  const name = basename(bytes.toString("utf8", start + number(0), start + number(0) + number(1)));
  const isCode = number(7) > 0 || name.endsWith(".js");
  add(isCode ? "code" : name, number(3));
}
const files = [...weights.values()].reduce((sum, size) => sum + size, 0);
add("code compiled ahead", byteCount - files);
add("Bun, and what stands after the modules", bytes.byteLength - byteCount);
const rows = [...weights]
  .toSorted(([, a], [, b]) => b - a)
  .map(([part, size]) => ({ part, MB: (size / 1e6).toFixed(2) }));
printRows([...rows, { part: "together", MB: (bytes.byteLength / 1e6).toFixed(2) }], option === "--json");
