import { existsSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "#platform/errors.ts";
import { type CarriedFile, cacheDirectories, extractFiles } from "./extract-libraries.ts";

/** The native part of onnxruntime-node; its own JavaScript knows what is in it. */
export interface OrtBinding {
  initOrtOnce(logLevel: number, tensorConstructor: unknown, isMainThread: boolean): void;
}

const addonName = "onnxruntime_binding.node";
const libraryName = "libonnxruntime.so.1";

function dlopen(path: string): OrtBinding {
  const loaded = { exports: {} as OrtBinding };
  process.dlopen(loaded, path);
  return loaded.exports;
}

/** ONNX Runtime as the operator built it (with CUDA or TensorRT, say). It is not replaced by the carried one when it fails. */
function loadOperatorsOwn(directory: string): OrtBinding {
  for (const name of [addonName, libraryName]) {
    if (!existsSync(join(directory, name))) {
      throw new Error(
        `THORMESH_ONNXRUNTIME_DIR=${directory}: expected ${addonName} and ${libraryName} there, ${name} is missing`,
      );
    }
  }
  return dlopen(join(directory, addonName));
}

/**
 * Loads ONNX Runtime in the compiled executable: the operator's own from THORMESH_ONNXRUNTIME_DIR, else the carried one, laid down in
 * the first cache directory that takes it and from which libraries can be loaded.
 * @param contentId names the carried libraries by their content, so that versions live side by side.
 * @throws Error saying for each directory why not.
 */
export function loadBinding(contentId: string, files: readonly CarriedFile[]): OrtBinding {
  const own = process.env["THORMESH_ONNXRUNTIME_DIR"];
  if (own) return loadOperatorsOwn(own);
  const failures: string[] = [];
  for (const cache of cacheDirectories(process.env)) {
    const directory = join(cache, `onnxruntime-${contentId}`);
    try {
      extractFiles(directory, files);
      return dlopen(join(directory, addonName));
    } catch (error) {
      failures.push(`${directory}: ${describeError(error)}`);
    }
  }
  throw new Error(
    `ONNX Runtime can't be loaded; set THORMESH_CACHE_DIR to a writable directory. Tried ${failures.join("; ")}`,
  );
}
