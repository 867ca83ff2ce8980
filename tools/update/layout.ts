import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { UsageError } from "#platform/errors.ts";
import { linkDurably, syncDirectory, writeDurably } from "#platform/files/write-durably.ts";
import { compareVersions, versionPattern } from "#protocol/release/version-order.ts";
import bootCheckText from "../../deploy/boot-check" with { type: "text" };

const isVersion = (text: string) => new RegExp(versionPattern).test(text) && text.length <= 64;

/** Directory of a machine's versions: `versions/V/thormesh`, and the links `current` and `previous`. */
export class Layout {
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  directoryOf(version: string): string {
    return join(this.prefix, "versions", version);
  }

  executableOf(version: string): string {
    return join(this.directoryOf(version), "thormesh");
  }

  /** Version that a link points to; null where it leads to none. */
  linked(name: "current" | "previous"): string | null {
    try {
      const version = basename(readlinkSync(join(this.prefix, name)));
      return isVersion(version) ? version : null;
    } catch {
      return null;
    }
  }

  point(name: "current" | "previous", version: string): void {
    linkDurably(join("versions", version), join(this.prefix, name));
  }

  has(version: string): boolean {
    return existsSync(this.executableOf(version));
  }

  /** Versions that are here whole, newest first. */
  versions(): string[] {
    const directory = join(this.prefix, "versions");
    if (!existsSync(directory)) return [];
    return readdirSync(directory)
      .filter((name) => isVersion(name) && this.has(name))
      .sort((a, b) => compareVersions(b, a));
  }

  /** Makes the directories, and lays down the guard that a service runs before each start. */
  prepare(): void {
    try {
      mkdirSync(join(this.prefix, "versions"), { recursive: true, mode: 0o755 });
      mkdirSync(this.downloads, { recursive: true, mode: 0o700 });
      writeDurably(join(this.prefix, "boot-check"), bootCheckText, 0o755);
    } catch (cause) {
      throw new UsageError(
        `${this.prefix} is not writable: run this as root, or set another directory (prefix: in /etc/thormesh/update.yaml, or --prefix)`,
        { cause },
      );
    }
  }

  get downloads(): string {
    return join(this.prefix, "downloads");
  }

  /** Forgets the version before. */
  forgetPrevious(): void {
    rmSync(join(this.prefix, "previous"), { force: true });
    syncDirectory(this.prefix);
  }

  /** Removes all versions but the one in force, the one before it and these, and what is left of downloads. */
  prune(others: readonly string[]): void {
    const kept = [this.linked("current"), this.linked("previous"), ...others];
    for (const name of readdirSync(join(this.prefix, "versions")))
      if (!kept.includes(name)) rmSync(join(this.prefix, "versions", name), { recursive: true, force: true });
    for (const name of readdirSync(this.downloads))
      rmSync(join(this.downloads, name), { recursive: true, force: true });
    syncDirectory(join(this.prefix, "versions"));
  }

  /** Removes what an update that was cut short left half made; a download is kept, as the next update goes on with it. */
  clearUnfinished(): void {
    for (const name of readdirSync(this.downloads))
      if (!name.endsWith(".part")) rmSync(join(this.downloads, name), { recursive: true, force: true });
  }

  /** Forgets the starts that the guard counted. */
  forgetAttempts(): void {
    for (const name of readdirSync(this.prefix))
      if (name.startsWith("boot-attempts")) rmSync(join(this.prefix, name), { force: true });
  }

  /** True when the guard at boot has gone back from a version, as it started too often. */
  gaveUp(version: string): boolean {
    return existsSync(join(this.prefix, `boot-returned-${version}`));
  }

  forgetReturn(version: string): void {
    rmSync(join(this.prefix, `boot-returned-${version}`), { force: true });
  }
}

/** Makes the path by which people run the program lead to the current version, if it does not yet. */
export function keepLink(link: string, layout: Layout): void {
  const target = join(layout.prefix, "current", "thormesh");
  const stats = lstatSync(link, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink() === true && resolve(dirname(link), readlinkSync(link)) === resolve(target)) return;
  if (stats?.isDirectory() === true) throw new UsageError(`${link} is a directory, expected a file or a link`);
  mkdirSync(dirname(link), { recursive: true });
  // As the installer links it, which takes away nothing but its own link.
  linkDurably(relative(dirname(link), target), link);
}
