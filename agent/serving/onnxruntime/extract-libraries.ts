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
import { checkTrustedPath, findUntrusted } from "#platform/files/check-trusted-path.ts";

/** A file that the compiled executable carries and that the system's loader must find on disk. */
export interface CarriedFile {
  readonly name: string;
  /** Where it lies inside the executable. */
  readonly embeddedPath: string;
  readonly bytes: number;
  /** xxHash64 of its content, in hex: fast enough to check at every start. */
  readonly xxHash64: string;
}

const sharedMemory = "/dev/shm";

/** Directories in which libraries may be laid down, the preferred first. */
export function cacheDirectories(environment: Record<string, string | undefined>): string[] {
  const configured = environment["THORMESH_CACHE_DIR"];
  if (configured) return [configured];
  const assigned = environment["CACHE_DIRECTORY"]?.split(":")[0];
  const home = environment["XDG_CACHE_HOME"] || (environment["HOME"] ? join(homedir(), ".cache") : undefined);
  return [
    ...(assigned ? [assigned] : []),
    ...(home ? [join(home, "thormesh")] : []),
    join(tmpdir(), `thormesh-${userInfo().uid}`),
    // Where the disk is full, in memory: serving needs no other file.
    ...(existsSync(sharedMemory) ? [join(sharedMemory, `thormesh-${userInfo().uid}`)] : []),
  ];
}

/** Nobody else may be able to put a library where we load one. */
function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(path);
  if (uid !== userInfo().uid) throw new Error(`${path} belongs to another user`);
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
  // A pipe would hold up the start, and what others may change is right only for now.
  if (stats?.isFile() !== true || stats.size !== bytes.length || findUntrusted(path) !== null) return false;
  return readFileSync(path).equals(bytes);
}

/** Writes a file under a name of its own and renames it, unless it is there with this content: several processes may do so at once. */
export function writeIntact(path: string, bytes: Uint8Array): void {
  if (holds(path, bytes)) return;
  // Nothing is renamed over a directory.
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

/**
 * Lays the files down in `directory` unless they are there and intact.
 */
export function extractFiles(directory: string, files: readonly CarriedFile[]): void {
  const parent = dirname(directory);
  // In a place where everybody may create names, whoever made the parent could swap the checked directory for another.
  if (isWritableByAll(dirname(parent))) makePrivateDirectory(parent);
  makePrivateDirectory(directory);
  checkTrustedPath(directory, directory);
  for (const file of files) {
    const path = join(directory, file.name);
    if (isIntact(path, file)) continue;
    writeIntact(path, readFileSync(file.embeddedPath));
  }
}
