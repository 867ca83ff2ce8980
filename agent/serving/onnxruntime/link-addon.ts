import { readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { extractFiles, writeIntact } from "./extract-libraries.ts";
import { addonName, explainIncompatibility, libraryName, type OperatorLibrary } from "./operator-library.ts";
import { symbolVersion, withSymbolVersion } from "./symbol-version.ts";

function linkTo(target: string, path: string): void {
  try {
    if (readlinkSync(path) === target) return;
  } catch {
    // it does not exist yet
  }
  const temporary = `${path}.${process.pid}.${crypto.randomUUID()}`;
  symlinkSync(target, temporary);
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Makes a directory in which the carried addon finds the operator's ONNX Runtime instead of the carried one. It has links to all of its
 * files: the loader searches for the library beside the addon, and ONNX Runtime for its providers beside the library's name.
 * @returns the addon's path in the directory
 * @throws Error when the library is too old for the addon.
 */
export function linkAddon(directory: string, addon: Uint8Array, library: OperatorLibrary): string {
  const problem = explainIncompatibility(symbolVersion(addon) ?? "", library.version);
  if (problem !== null || library.version === null) throw new Error(`${library.path} can't be used: ${problem}`);
  extractFiles(directory, []);
  const path = join(directory, addonName);
  writeIntact(path, withSymbolVersion(addon, library.version));
  linkTo(library.path, join(directory, libraryName));
  for (const name of library.files) {
    if (name.startsWith("libonnxruntime_")) linkTo(join(library.directory, name), join(directory, name));
  }
  return path;
}
