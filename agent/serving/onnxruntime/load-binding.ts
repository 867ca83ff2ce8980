import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describeError } from "#platform/errors.ts";
import { explainLoadFailure } from "./explain-load-failure.ts";
import { type CarriedFile, cacheDirectories, extractFiles, readCarried } from "./extract-libraries.ts";
import { linkAddon } from "./link-addon.ts";
import { addonName, findOperatorLibrary } from "./operator-library.ts";

/** Native part of onnxruntime-node; its own JavaScript uses more of it. */
export interface OrtBinding {
  initOrtOnce(logLevel: number, tensorConstructor: unknown, isMainThread: boolean): void;
}

function dlopen(path: string): OrtBinding {
  const loaded = { exports: {} as OrtBinding };
  process.dlopen(loaded, path);
  return loaded.exports;
}

/** Loads from the first cache directory that takes the files and from which libraries can be loaded. */
function inCacheDirectory(name: string, load: (directory: string) => OrtBinding): OrtBinding {
  const failures: string[] = [];
  for (const cache of cacheDirectories(process.env)) {
    const directory = join(cache, name);
    try {
      return load(directory);
    } catch (error) {
      failures.push(`${directory}: ${describeError(error)}`);
    }
  }
  throw new Error(explainLoadFailure(failures));
}

/**
 * Loads the operator's ONNX Runtime (for example with CUDA or TensorRT), with the addon beside it or else this one. The carried library does
 * not replace it when it fails.
 * @param addon this program's own
 */
function loadOperatorLibrary(operatorDirectory: string, addon: () => Uint8Array): OrtBinding {
  const library = findOperatorLibrary(operatorDirectory);
  if (library.addonPath !== null) return dlopen(library.addonPath);
  const content = addon();
  // Named by its content, so that two programs or two directories don't replace each other's links.
  const of = `${library.directory} ${library.path} ${library.version} ${Bun.hash.xxHash64(content)}`;
  const id = Bun.hash.xxHash64(of).toString(16);
  return inCacheDirectory(`onnxruntime-own-${id}`, (directory) => dlopen(linkAddon(directory, content, library)));
}

/**
 * Loads ONNX Runtime in the compiled executable: the operator's from THORMESH_ONNXRUNTIME_DIR, else the carried one, extracted.
 * @param contentId names the carried libraries by their content, so that versions exist side by side
 * @throws Error with the reason for each directory.
 */
export function loadBinding(contentId: string, files: readonly CarriedFile[]): OrtBinding {
  const own = process.env["THORMESH_ONNXRUNTIME_DIR"];
  if (own) {
    const addon = files.find(({ name }) => name === addonName);
    return loadOperatorLibrary(own, () => {
      if (addon === undefined) throw new Error(`no ${addonName} is built in. This is a bug.`);
      return readCarried(addon);
    });
  }
  return inCacheDirectory(`onnxruntime-${contentId}`, (directory) => {
    extractFiles(directory, files);
    return dlopen(join(directory, addonName));
  });
}

/**
 * Loads the operator's library before the addon when the program runs from its sources: the npm package has a library beside its addon, but
 * the loader gives the addon one of the same name that is loaded already. The compiled executable needs no preloading.
 */
export function preloadFromSources(operatorDirectory: string): void {
  if (import.meta.url.includes("/$bunfs/")) return;
  const packagePath = dirname(dirname(createRequire(import.meta.url).resolve("onnxruntime-node")));
  const path = join(packagePath, "bin/napi-v6", process.platform, process.arch, addonName);
  loadOperatorLibrary(operatorDirectory, () => readFileSync(path));
}
