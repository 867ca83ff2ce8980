import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { checkTrustedPath } from "#platform/files/check-trusted-path.ts";
import { symbolVersion } from "./symbol-version.ts";

/** An ONNX Runtime in a directory that the operator configured. */
export interface OperatorLibrary {
  readonly directory: string;
  /** Path of the library, links followed. */
  readonly path: string;
  readonly version: string | null;
  /** Names of the directory's files that belong to ONNX Runtime. */
  readonly files: readonly string[];
  /** Addon beside the library, built with it; null: the carried one is used. */
  readonly addonPath: string | null;
}

export const addonName = "onnxruntime_binding.node";
export const libraryName = "libonnxruntime.so.1";
const anyLibraryName = /^libonnxruntime\.so(\.1(\.\d+)*)?$/;

/**
 * Finds ONNX Runtime under the names that its builds and packages give it: libonnxruntime.so, .so.1, .so.1.x.y.
 * @throws Error naming what is missing, or a file that other users could have put or changed.
 */
export function findOperatorLibrary(directory: string): OperatorLibrary {
  if (!existsSync(directory)) throw new Error(`serving.onnxruntimeDirectory: there is no directory ${directory}`);
  const files = readdirSync(directory)
    .filter((name) => name.startsWith("libonnxruntime") || name === addonName)
    .sort();
  const names = files.filter((name) => anyLibraryName.test(name));
  const [name] = names.includes(libraryName) ? [libraryName] : names;
  if (name === undefined) {
    throw new Error(
      `serving.onnxruntimeDirectory: expected libonnxruntime.so.1 (or .so, .so.1.x.y) in ${directory}, got ${files.join(", ") || "none of ONNX Runtime's files"}`,
    );
  }
  for (const file of files) checkTrustedPath(join(directory, file), "serving.onnxruntimeDirectory");
  const path = realpathSync(join(directory, name));
  const addonPath = files.includes(addonName) ? join(directory, addonName) : null;
  return { directory, path, version: symbolVersion(readFileSync(path)), files, addonPath };
}

/**
 * Returns the reason why an addon cannot use a library; null when it can. An addon of 1.x needs interface x, which libraries from 1.x on have.
 */
export function explainIncompatibility(addonVersion: string, libraryVersion: string | null): string | null {
  if (libraryVersion === null) return "it does not state its version";
  const [major = 0, minor = 0] = libraryVersion.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = addonVersion.split(".").map(Number);
  if (major === wantedMajor && minor >= wantedMinor) return null;
  return (
    `it is ONNX Runtime ${libraryVersion}, and this program needs ${wantedMajor}.${wantedMinor} or later: ` +
    `use a newer one, or put the ${addonName} of onnxruntime-node ${libraryVersion} beside it`
  );
}
