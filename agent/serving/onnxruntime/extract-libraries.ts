import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { type BranchArchitecture, restoreBranches } from "#platform/files/branch-filter.ts";
import { checkTrustedPath, findUntrusted } from "#platform/files/check-trusted-path.ts";

/** A file carried by the compiled executable that the system's loader must find on disk. */
export interface CarriedFile {
  readonly name: string;
  /** Compressed by zstd, its calls rewritten before. */
  readonly embeddedPath: string;
  /** Processor whose machine code it is. */
  readonly branches: BranchArchitecture;
  readonly bytes: number;
  /** Hash of its content in hex: fast enough to check at every start. */
  readonly xxHash64: string;
}

const sharedMemory = "/dev/shm";

/** Lists the directories into which libraries may be extracted, the preferred first. */
export function cacheDirectories(environment: Record<string, string | undefined>): string[] {
  const configured = environment["THORMESH_CACHE_DIR"];
  if (configured) return [configured];
  const assigned = environment["CACHE_DIRECTORY"]?.split(":")[0];
  const home = environment["XDG_CACHE_HOME"] || (environment["HOME"] ? join(homedir(), ".cache") : undefined);
  return [
    ...(assigned ? [assigned] : []),
    ...(home ? [join(home, "thormesh")] : []),
    join(tmpdir(), `thormesh-${userInfo().uid}`),
    // In memory, for a full disk: serving needs no other file.
    ...(existsSync(sharedMemory) ? [join(sharedMemory, `thormesh-${userInfo().uid}`)] : []),
  ];
}

/** Makes a directory into which no other user can put a library. */
export function makePrivateDirectory(path: string): void {
  const ownUid = userInfo().uid;
  const refuseOthers = (uid: number) => {
    if (uid !== ownUid) throw new Error(`${path} belongs to another user`);
  };
  // Looked at before, too: a kernel that protects links does not say why it follows none of another user's.
  refuseOthers(lstatSync(path, { throwIfNoEntry: false })?.uid ?? ownUid);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(path);
  refuseOthers(uid);
  if ((mode & 0o077) !== 0) chmodSync(path, 0o700);
}

function isWritableByAll(path: string): boolean {
  return existsSync(path) && (statSync(path).mode & 0o002) !== 0;
}

function isIntact(path: string, file: CarriedFile): boolean {
  try {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size !== file.bytes || findUntrusted(path) !== null) return false;
    return Bun.hash.xxHash64(readFileSync(path)).toString(16) === file.xxHash64;
  } catch {
    return false;
  }
}

function holds(path: string, bytes: Uint8Array): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  // Reading a pipe would never end, and others may change an untrusted file later.
  if (stats?.isFile() !== true || stats.size !== bytes.length || findUntrusted(path) !== null) return false;
  return readFileSync(path).equals(bytes);
}

/** Writes a file under a unique name and renames it, unless it exists with this content. Several processes may do so at once. */
export function writeIntact(path: string, bytes: Uint8Array): void {
  if (holds(path, bytes)) return;
  // A file can't be renamed over a directory.
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) rmSync(path, { recursive: true });
  const temporaryPath = `${path}.${process.pid}.${crypto.randomUUID()}`;
  try {
    writeFileSync(temporaryPath, bytes, { mode: 0o700 });
    renameSync(temporaryPath, path);
  } catch (error) {
    rmSync(temporaryPath, { force: true });
    throw error;
  }
}

/** Returns the content of a file as it is to be on the disk. */
export function readCarried(file: CarriedFile): Uint8Array {
  const bytes = Bun.zstdDecompressSync(readFileSync(file.embeddedPath));
  restoreBranches(bytes, file.branches);
  return bytes;
}

/** Extracts the files into `directory` unless they exist and are intact. */
export function extractFiles(directory: string, files: readonly CarriedFile[]): void {
  const parent = dirname(directory);
  // Where every user may create names, the owner of the parent could swap the checked directory for another.
  if (isWritableByAll(dirname(parent))) makePrivateDirectory(parent);
  makePrivateDirectory(directory);
  checkTrustedPath(directory, directory);
  for (const file of files) {
    const path = join(directory, file.name);
    if (isIntact(path, file)) continue;
    writeIntact(path, readCarried(file));
  }
}
