import { closeSync, readSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { openRegularFile } from "#platform/files/read-regular-file.ts";

/** A file on which a model's vectors depend, with its expected hash. */
export const ModelFileToCheck = Type.Object({
  /** Path within the model's directory. */
  name: Type.String(),
  path: Type.String(),
  /** Null: unknown. */
  sha256: Type.Union([Type.String(), Type.Null()]),
});
export type ModelFileToCheck = Static<typeof ModelFileToCheck>;

/** SHA-256 by the file's path within the model's directory. */
export type FileHashes = Readonly<Record<string, string>>;

const pieceBytes = 1024 * 1024;
/** Entry `location` of a tensor's external data in ONNX's protobuf: the key, before a value with its length. */
const locationEntry = Buffer.concat([Buffer.from([0x0a, 8]), Buffer.from("location"), Buffer.from([0x12])]);
/** Longest name in a file system. */
const maxNameBytes = 255;
const overlapBytes = locationEntry.length + 2 + maxNameBytes;

/** Lists the files with weights to which a piece of an ONNX file refers. */
function locationsIn(piece: Buffer): string[] {
  const names: string[] = [];
  for (let at = piece.indexOf(locationEntry); at >= 0; at = piece.indexOf(locationEntry, at + 1)) {
    const start = at + locationEntry.length;
    const low = piece[start] ?? 0;
    // A length from 128 on takes two bytes.
    const [length, head] = low < 128 ? [low, 1] : [(low & 127) | ((piece[start + 1] ?? 0) << 7), 2];
    const end = start + head + length;
    if (length > 0 && length <= maxNameBytes && end <= piece.length)
      names.push(piece.toString("utf8", start + head, end));
  }
  return names;
}

/** Reads a file once, in pieces: models may be larger than memory. */
function readPieces(path: string, onPiece: (piece: Buffer) => void): void {
  const file = openRegularFile(path);
  try {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer))
      onPiece(buffer.subarray(0, count));
  } finally {
    closeSync(file);
  }
}

function sha256Of(path: string, onPiece?: (piece: Buffer) => void): string {
  const hash = new Bun.CryptoHasher("sha256");
  readPieces(path, (piece) => {
    hash.update(piece);
    onPiece?.(piece);
  });
  return hash.digest("hex");
}

/**
 * Hashes a model's files and the files with weights to which its ONNX file refers. Blocks this thread while it reads.
 * @param modelPath the ONNX file; among the files
 * @throws Error naming the file that has another hash, can't be read, or lies outside the model's directory.
 */
export function hashModelFiles(files: readonly ModelFileToCheck[], modelPath: string): FileHashes {
  const hashes: Record<string, string> = {};
  const referred = new Set<string>();
  for (const { name, path, sha256 } of files) {
    let rest: Buffer = Buffer.alloc(0);
    const actual = sha256Of(path, (piece) => {
      if (path !== modelPath) return;
      const both = Buffer.concat([rest, piece]);
      for (const location of locationsIn(both)) referred.add(location);
      rest = Buffer.from(both.subarray(Math.max(0, both.length - overlapBytes)));
    });
    if (sha256 !== null && actual !== sha256)
      throw new Error(`${path} does not match the manifest: expected sha256 ${sha256}, got ${actual}`);
    hashes[name] = actual;
  }
  const known = new Set(files.map(({ path }) => resolve(path)));
  const model = files.find(({ path }) => path === modelPath);
  const directory =
    model === undefined ? dirname(modelPath) : resolve(modelPath, ...model.name.split("/").map(() => ".."));
  for (const location of referred) {
    const path = resolve(dirname(modelPath), location);
    if (known.has(path)) continue;
    known.add(path);
    const name = relative(directory, path);
    if (name.startsWith("..") || location.startsWith(sep))
      throw new Error(`${modelPath} refers to weights outside its directory: ${JSON.stringify(location)}`);
    hashes[name] = sha256Of(path);
  }
  return hashes;
}
