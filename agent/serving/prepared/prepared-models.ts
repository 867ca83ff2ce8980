import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import onnxruntimePackage from "onnxruntime-node/package.json" with { type: "json" };
import type { FileHashes } from "#agent/serving/models/files/hash-model-files.ts";
import { cacheDirectories, makePrivateDirectory } from "#agent/serving/onnxruntime/extract-libraries.ts";
import { describeError } from "#platform/errors.ts";
import { findUntrusted } from "#platform/files/check-trusted-path.ts";
import { dayMs } from "#platform/time.ts";
import { maxPreparedBytes } from "./decide-preparation.ts";

/** Files of a prepared model: the optimised graph, and the weights to which it refers by this name. */
export const preparedNames = ["model.onnx", "model.onnx.data"] as const;
const recordName = "record.json";
/** Changes when models are prepared in another way. */
const formatVersion = 2;
const pieceBytes = 4 * 1024 * 1024;
/** Directories of a preparation that was killed are removed after this. */
const abandonedMs = dayMs;

/** Content of a prepared model's files, by name. */
const PreparedRecord = Type.Record(Type.String(), Type.Object({ bytes: Type.Integer(), hash: Type.String() }));
type PreparedRecord = Static<typeof PreparedRecord>;

/** Features of the processor, by which ONNX Runtime chooses how it packs weights. */
function processorFeatures(): string {
  try {
    return /^(?:flags|Features)\s*:.*$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[0] ?? "";
  } catch {
    return ""; // no /proc here
  }
}

/** Returns the name of a prepared model, which differs where the model, ONNX Runtime or the processor does. */
export function preparedKey(sources: FileHashes): string {
  const content = [
    formatVersion,
    onnxruntimePackage.version,
    process.arch,
    cpus()[0]?.model ?? "",
    processorFeatures(),
    Object.entries(sources).sort(([a], [b]) => (a < b ? -1 : 1)),
  ];
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 32);
}

/** Hashes a file in pieces, so that it takes no memory. */
function contentOf(path: string): { bytes: number; hash: string } {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    let hash = 0n;
    let bytes = 0;
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
      hash = Bun.hash.xxHash64(buffer.subarray(0, count), hash);
      bytes += count;
    }
    return { bytes, hash: hash.toString(16) };
  } finally {
    closeSync(file);
  }
}

/** Explains why the files in a directory are not a prepared model as it was written; null when they are. */
function findDamage(directory: string): string | null {
  const flaw = findUntrusted(directory);
  if (flaw !== null) return flaw;
  try {
    const record: unknown = JSON.parse(readFileSync(join(directory, recordName), "utf8"));
    if (!Value.Check(PreparedRecord, record)) return `${recordName} is of another form`;
    for (const name of preparedNames) {
      const path = join(directory, name);
      const expected = record[name];
      if (expected === undefined) return `${recordName} does not name ${name}`;
      const fileFlaw = findUntrusted(path);
      if (fileFlaw !== null) return fileFlaw;
      if (statSync(path).size !== expected.bytes || contentOf(path).hash !== expected.hash)
        return `${name} has been altered`;
    }
    return null;
  } catch (error) {
    return describeError(error);
  }
}

/** The directory of prepared models in one of the places where files may be kept. */
const preparedIn = (cache: string) => join(cache, "prepared-models");

/** Finds a prepared model that is intact. @returns its directory; null when there is none */
export function findPrepared(key: string): string | null {
  for (const cache of cacheDirectories(process.env)) {
    const directory = join(preparedIn(cache), key);
    if (findDamage(directory) !== null) continue;
    try {
      // The oldest ones are removed where space is short.
      utimesSync(directory, new Date(), new Date());
    } catch {
      // A directory that can only be read serves anyway.
    }
    return directory;
  }
  return null;
}

/** Lists where a model can be prepared, the preferred place first, with the space that is free there. */
export function preparationPlaces(): { readonly directory: string; readonly freeBytes: number }[] {
  return cacheDirectories(process.env).flatMap((cache) => {
    try {
      makePrivateDirectory(cache);
      const directory = preparedIn(cache);
      makePrivateDirectory(directory);
      if (findUntrusted(directory) !== null) return [];
      const { bavail, bsize } = statfsSync(directory);
      return [{ directory, freeBytes: bavail * bsize }];
    } catch {
      return []; // can't be written
    }
  });
}

function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Removes the prepared models that were used the longest ago until the others and a new one fit, and what killed preparations left. */
function makeSpace(place: string, newBytes: number, nowMs: number): void {
  const entries = readdirSync(place)
    .map((name) => ({ path: join(place, name), name, usedMs: statSync(join(place, name)).mtimeMs }))
    .sort((a, b) => b.usedMs - a.usedMs);
  let bytes = newBytes;
  for (const { path, name, usedMs } of entries) {
    const unfinished = name.includes(".");
    if (!unfinished) bytes += bytesIn(path);
    if (unfinished ? nowMs - usedMs > abandonedMs : bytes > maxPreparedBytes)
      rmSync(path, { recursive: true, force: true });
  }
}

function flush(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

/**
 * Keeps a model that is being prepared. Its directory gets its name when all is on the disk, so that a reader never finds a part.
 * @param write writes the files into the given directory
 */
export async function storePrepared(
  place: string,
  key: string,
  needBytes: number,
  write: (directory: string) => Promise<void>,
): Promise<void> {
  makeSpace(place, needBytes, Date.now());
  const temporary = join(place, `${key}.${process.pid}.${crypto.randomUUID()}`);
  mkdirSync(temporary, { mode: 0o700 });
  try {
    await write(temporary);
    const record: PreparedRecord = Object.fromEntries(
      preparedNames.map((name) => [name, contentOf(join(temporary, name))]),
    );
    writeFileSync(join(temporary, recordName), JSON.stringify(record), { mode: 0o600 });
    for (const name of [...preparedNames, recordName]) flush(join(temporary, name));
    const directory = join(place, key);
    // Another process may have prepared it meanwhile; a damaged one is replaced.
    if (findPrepared(key) !== null) return;
    rmSync(directory, { recursive: true, force: true });
    renameSync(temporary, directory);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
