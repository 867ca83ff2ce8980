import { existsSync, readFileSync } from "node:fs";
import { UsageError } from "#platform/errors.ts";
import { ownExecutable } from "#platform/process/own-installation.ts";

const packageFiles = "/var/lib/dpkg/info/thormesh.list";
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Refuses to change the version of a program that a Debian package brought: dpkg would put its own back.
 * @throws UsageError with the command that does it
 */
export function refusePackage(executable = ownExecutable(), list = packageFiles): void {
  if (!existsSync(list) || !readFileSync(list, "utf8").split("\n").includes(executable)) return;
  const architecture = architectures[process.arch] ?? process.arch;
  throw new UsageError(
    `${executable} came with the Debian package thormesh, and dpkg keeps it: install the package of the version that is wanted, a newer one or ` +
      `the one before (sudo apt install --allow-downgrades ./thormesh_VERSION_${architecture}.deb)`,
  );
}
