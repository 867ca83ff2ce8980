import type { BranchArchitecture } from "#platform/files/branch-filter.ts";
import { highestLevel } from "../build-compressed.ts";

/**
 * Filters of xz that rewrite a processor's calls. That of arm64 is missing: xz reads it from version 5.4 on, and JetPack 5 and 6 have an older one.
 */
const filters = { x64: ["--x86"], arm64: [] } as const satisfies Readonly<
  Record<BranchArchitecture, readonly string[]>
>;

/**
 * Compresses an executable by xz, for the installer.
 * @param level of zstd, for the other files: the highest stands for xz's, any other for its fastest
 */
export async function packByXz(path: string, architecture: BranchArchitecture, level: number): Promise<Uint8Array> {
  const preset = level >= highestLevel ? "9e" : "0";
  // One thread: several make other bytes.
  const packed =
    await Bun.$`xz --format=xz --threads=1 ${filters[architecture]} --lzma2=preset=${preset} --stdout --keep ${path}`.quiet();
  return packed.stdout;
}
