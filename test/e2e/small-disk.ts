import { expect } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./program.ts";

/** Disk in memory at a path of its own, which a test can fill. */
export interface SmallDisk {
  readonly path: string;
  /** Writes files until no byte is free. */
  fill(): void;
  /** Deletes the files of {@link fill}. */
  empty(): void;
  remount(how: "ro" | "rw"): void;
  unmount(): void;
}

const mount = (...options: string[]) => Bun.spawnSync(["mount", ...options], { stderr: "ignore" }).exitCode === 0;

/** Tells if this user may mount disks; warns if not. */
export function mayMountDisks(): boolean {
  const probe = temporaryDirectory();
  const mounted = mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", probe.path);
  if (mounted) Bun.spawnSync(["umount", probe.path]);
  else console.warn("tests of full disks are skipped: this user can't mount a small disk (tmpfs)");
  probe.remove();
  return mounted;
}

export function mountSmallDisk(path: string, megabytes: number): SmallDisk {
  mkdirSync(path, { recursive: true });
  expect(mount("-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path)).toBe(true);
  return {
    path,
    fill() {
      try {
        for (let file = 0; ; file += 1) writeFileSync(join(path, `filler-${file}`), new Uint8Array(4_096));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
      }
    },
    empty() {
      for (const name of new Bun.Glob("filler-*").scanSync(path)) rmSync(join(path, name));
    },
    remount: (how) => expect(mount("-o", `remount,${how}`, path)).toBe(true),
    unmount: () => void Bun.spawnSync(["umount", "-l", path]),
  };
}
