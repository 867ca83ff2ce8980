import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import wasmPath from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm" with { type: "file" };
import simdPath from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm" with { type: "file" };
import { describeError } from "#platform/errors.ts";
import { checkTrustedPath } from "#platform/files/check-trusted-path.ts";
import { multiplyWithoutTransposes } from "./multiply-without-transposes.ts";
import { requireFromDisk } from "./require-from-disk.ts";
import * as tf from "./tensorflow-parts.ts";

export { tf };

export const backends = ["tfjs-node", "wasm", "cpu"] as const;
export type Backend = (typeof backends)[number];

export interface BackendChoice {
  readonly backend: Backend;
  /** Cause for which no faster one is used. */
  readonly reason: string;
}

/** Sets a platform where TensorFlow.js found none: it knows browsers and Node.js, and a compiled executable is neither. */
function ensurePlatform(): void {
  if (tf.env().platform !== undefined) return;
  tf.setPlatform("bun", {
    fetch: () => Promise.reject(new Error("TensorFlow.js loads nothing from a network. This is a bug.")),
    now: () => performance.now(),
    encode: (text) => new TextEncoder().encode(text),
    decode: (bytes, encoding) => new TextDecoder(encoding as Bun.Encoding).decode(bytes),
    isTypedArray: (value) =>
      value instanceof Float32Array ||
      value instanceof Int32Array ||
      value instanceof Uint8Array ||
      value instanceof Uint8ClampedArray,
  });
}

/** An optional package that was not installed. */
class NotInstalledError extends Error {}

/**
 * Loads the native library from the program's node_modules: beside the sources when run from them, beside the executable otherwise. It is
 * never part of the executable: the package is optional and fetches its library when it is installed.
 */
function loadNative(): void {
  const name = ["@tensorflow", "tfjs-node"].join("/"); // put together, so that the bundler does not look for it
  // A compiled executable's sources lie in a file system of its own.
  const isCompiled = import.meta.url.includes("$bunfs");
  const root = isCompiled ? dirname(process.execPath) : fileURLToPath(new URL("../..", import.meta.url));
  const packages = join(root, "node_modules/");
  if (!existsSync(join(packages, name))) throw new NotInstalledError("tfjs-node is not installed");
  if (isCompiled) {
    requireFromDisk(name, root);
    return;
  }
  const require = createRequire(import.meta.url);
  const path = require.resolve(name);
  if (!path.startsWith(packages)) throw new Error(`${path} is not in the program's own node_modules`);
  checkTrustedPath(path, name);
  require(path);
}

async function tryBackend(backend: Backend): Promise<void> {
  if (backend === "tfjs-node") {
    loadNative();
    if (!(await tf.setBackend("tensorflow"))) throw new Error("its backend did not start");
    return;
  }
  if (backend === "wasm") {
    setWasmPaths({
      "tfjs-backend-wasm.wasm": wasmPath,
      "tfjs-backend-wasm-simd.wasm": simdPath,
      // Never asked for: its threads start in browsers only.
      "tfjs-backend-wasm-threaded-simd.wasm": simdPath,
    });
  }
  if (!(await tf.setBackend(backend))) throw new Error("its backend did not start");
  if (backend === "wasm") multiplyWithoutTransposes(tf);
}

/**
 * Starts the fastest backend that this machine has: the native library, else WebAssembly, else plain JavaScript.
 * @param wanted tries only this one.
 * @throws Error when none starts, with the cause for each.
 */
export async function startBackend(wanted?: Backend): Promise<BackendChoice> {
  ensurePlatform();
  tf.enableProdMode(); // no advice on standard error, no redundant checks
  const failures: string[] = [];
  for (const backend of wanted === undefined ? backends : [wanted]) {
    try {
      await tryBackend(backend);
      await tf.ready();
      return { backend, reason: failures.length === 0 ? "the fastest backend" : failures.join("; ") };
    } catch (error) {
      const said = describeError(error).split("\n")[0]?.slice(0, 120);
      failures.push(error instanceof NotInstalledError ? error.message : `${backend} can't be used: ${said}`);
    }
  }
  throw new Error(`TensorFlow.js does not start: ${failures.join("; ")}`);
}
