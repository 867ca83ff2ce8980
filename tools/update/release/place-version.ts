import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "#platform/files/write-durably.ts";
import { type FileHashes, hashFile, RunningHashes } from "#protocol/release/file-hashes.ts";
import type { ReleaseFile } from "#protocol/release/release-manifest.ts";
import { faultPoint } from "../fault-points.ts";
import type { Layout } from "../layout.ts";
import { UpdateError } from "../update-error.ts";
import type { OfferedRelease } from "./release-source.ts";

/** Free space that an update needs, by the executable's size: its download, itself, and the copy of the state that a start may make. */
const neededFactor = 3;

function refuseFullDisk(prefix: string, executableBytes: number): void {
  const { bavail, bsize } = statfsSync(prefix);
  const [free, needed] = [bavail * bsize, neededFactor * executableBytes];
  if (free < needed)
    throw new UpdateError(
      `${prefix}: expected ${Math.ceil(needed / 1e6)} MB free (${neededFactor} times the executable), got ${Math.floor(free / 1e6)} MB: free up space first`,
    );
}

function refuseOthers(hashes: FileHashes, listed: ReleaseFile): void {
  if (hashes.size !== listed.size || hashes.sha256 !== listed.sha256)
    throw new UpdateError(
      `${listed.name}: expected sha256 ${listed.sha256} (${listed.size} bytes), got ${hashes.sha256} (${hashes.size} bytes): the file was discarded`,
    );
}

/** Writes what a compressed file holds, never more than the manifest says. */
async function decompress(from: string, to: string, listed: ReleaseFile): Promise<FileHashes> {
  const hashes = new RunningHashes();
  const handle = await open(to, "w", 0o755);
  try {
    const plain = Bun.file(from).stream().pipeThrough(new DecompressionStream("zstd"));
    for await (const piece of plain) {
      if (hashes.size + piece.byteLength > listed.size)
        throw new UpdateError(`${listed.name}: expected ${listed.size} bytes, the compressed file holds more`);
      hashes.add(piece);
      await handle.writeFile(piece);
    }
  } finally {
    await handle.close();
  }
  return hashes.end();
}

function syncFile(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}

/** Puts a file that is whole and verified in the place of its version, at once and for good. */
function place(layout: Layout, version: string, temporary: string): void {
  const directory = layout.directoryOf(version);
  const staged = join(layout.downloads, `placed-${version}`);
  rmSync(staged, { recursive: true, force: true });
  mkdirSync(staged, { mode: 0o755 });
  renameSync(temporary, join(staged, "thormesh"));
  chmodSync(join(staged, "thormesh"), 0o755);
  syncFile(join(staged, "thormesh"));
  syncDirectory(staged);
  faultPoint("placed-file");
  rmSync(directory, { recursive: true, force: true });
  renameSync(staged, directory);
  syncDirectory(join(layout.prefix, "versions"));
  faultPoint("placed");
}

/**
 * Brings a release's executable to its place among the versions; one that is there already is only compared.
 * @returns its hash
 * @throws UpdateError, and then nothing has changed but what is kept of the download
 */
export async function placeRelease(
  layout: Layout,
  offered: OfferedRelease,
  onProgress: (share: number) => void,
): Promise<string> {
  const { version } = offered.release;
  const { fetched, executable } = offered.files as NonNullable<OfferedRelease["files"]>;
  if (layout.has(version)) {
    const here = await hashFile(layout.executableOf(version), executable.size).catch(() => null);
    if (here?.sha256 === executable.sha256) return executable.sha256;
  }
  refuseFullDisk(layout.prefix, executable.size);
  const download = join(layout.downloads, `${fetched.sha256}.part`);
  try {
    await offered.bring(fetched, download, (bytes) => onProgress(bytes / fetched.size));
    faultPoint("downloaded");
    const hashes = await hashFile(download, fetched.size).catch((cause) => {
      throw new UpdateError(`${fetched.name} does not match its manifest`, { cause });
    });
    try {
      refuseOthers(hashes, fetched);
      let plain = download;
      if (fetched.kind === "executable-zst") {
        plain = join(layout.downloads, `${executable.sha256}.plain`);
        refuseOthers(await decompress(download, plain, executable), executable);
      }
      faultPoint("verified");
      place(layout, version, plain);
    } finally {
      rmSync(download, { force: true });
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC")
      throw new UpdateError(`the disk of ${layout.prefix} is full: free up space and run the same command again`);
    throw error;
  }
  return executable.sha256;
}

/** Takes the running program's file into the layout, so that there is a version to go back to. */
export async function adopt(layout: Layout, executable: string, version: string): Promise<string> {
  refuseFullDisk(layout.prefix, Bun.file(executable).size / neededFactor);
  const temporary = join(layout.downloads, `adopted-${version}`);
  copyFileSync(executable, temporary);
  faultPoint("adopted-file");
  place(layout, version, temporary);
  faultPoint("adopted");
  return (await hashFile(layout.executableOf(version), Number.MAX_SAFE_INTEGER)).sha256;
}
