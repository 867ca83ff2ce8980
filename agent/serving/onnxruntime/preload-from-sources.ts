import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadOperatorLibrary } from "./load-binding.ts";
import { addonName } from "./operator-library.ts";

/**
 * Run from its sources, the program uses the addon of the npm package, which comes with a library beside it. The loader gives it one of
 * the same name that is loaded already, though: the operator's, loaded here first. The compiled executable does without.
 */
export function preloadFromSources(operatorDirectory: string): void {
  if (import.meta.url.includes("/$bunfs/")) return;
  const packagePath = dirname(dirname(createRequire(import.meta.url).resolve("onnxruntime-node")));
  loadOperatorLibrary(operatorDirectory, join(packagePath, "bin/napi-v6", process.platform, process.arch, addonName));
}
