import { join } from "node:path";
import { describeError } from "#platform/errors.ts";
import { type CarriedFile, cacheDirectories, extractFiles } from "./extract-libraries.ts";
import { layDownAddon } from "./lay-down-addon.ts";
import { addonName, findOperatorLibrary } from "./operator-library.ts";

/** The native part of onnxruntime-node; its own JavaScript knows what is in it. */
export interface OrtBinding {
  initOrtOnce(logLevel: number, tensorConstructor: unknown, isMainThread: boolean): void;
}

function dlopen(path: string): OrtBinding {
  const loaded = { exports: {} as OrtBinding };
  process.dlopen(loaded, path);
  return loaded.exports;
}

/** The first cache directory that takes the files and from which libraries can be loaded. */
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
  throw new Error(
    `ONNX Runtime can't be loaded; set THORMESH_CACHE_DIR to a writable directory. Tried ${failures.join("; ")}`,
  );
}

/**
 * ONNX Runtime as the operator has it (with CUDA or TensorRT, say), with the addon beside it or else this one. It is not replaced by
 * the carried library when it fails.
 */
export function loadOperatorLibrary(operatorDirectory: string, addonPath: string | undefined): OrtBinding {
  const library = findOperatorLibrary(operatorDirectory);
  if (library.addonPath !== null) return dlopen(library.addonPath);
  if (addonPath === undefined) throw new Error(`no ${addonName} is carried. This is a bug.`);
  // Named by what is in it: of two programs or two directories none takes the other's links away.
  const id = Bun.hash.xxHash64(`${library.directory} ${library.path} ${library.version} ${addonPath}`).toString(16);
  return inCacheDirectory(`onnxruntime-own-${id}`, (directory) => dlopen(layDownAddon(directory, addonPath, library)));
}

/**
 * Loads ONNX Runtime in the compiled executable: the operator's from THORMESH_ONNXRUNTIME_DIR, else the carried one, laid down.
 * @param contentId names the carried libraries by their content, so that versions live side by side.
 * @throws Error saying for each directory why not.
 */
export function loadBinding(contentId: string, files: readonly CarriedFile[]): OrtBinding {
  const own = process.env["THORMESH_ONNXRUNTIME_DIR"];
  if (own) {
    return loadOperatorLibrary(own, files.find(({ name }) => name === addonName)?.embeddedPath);
  }
  return inCacheDirectory(`onnxruntime-${contentId}`, (directory) => {
    extractFiles(directory, files);
    return dlopen(join(directory, addonName));
  });
}
