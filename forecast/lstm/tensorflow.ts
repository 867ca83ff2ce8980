import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import wasmPath from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm" with { type: "file" };
import simdPath from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm" with { type: "file" };
import threadedPath from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm" with {
  type: "file",
};
import { describeError } from "#platform/errors.ts";
import { checkTrustedPath } from "#platform/files/check-trusted-path.ts";
import { multiplyWithoutTransposes } from "./multiply-without-transposes.ts";
import { requireFromDisk } from "./require-from-disk.ts";

export { tf };

export const backends = ["tfjs-node", "wasm", "cpu"] as const;
export type Backend = (typeof backends)[number];

export interface BackendChoice {
  readonly backend: Backend;
  /** Why this one and not a faster one. */
  readonly reason: string;
}

/** TensorFlow.js knows browsers and Node.js; in a compiled executable it finds neither and has no platform at all. */
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

/**
 * Loads the native library from beside the program: its node_modules when run from source, those beside the executable otherwise. It
 * is never part of the executable: the package is optional and fetches its library when it is installed.
 */
function loadNative(): void {
  const name = ["@tensorflow", "tfjs-node"].join("/"); // put together, so that the bundler does not look for it
  // A compiled executable's sources lie in a file system of its own.
  if (import.meta.url.includes("$bunfs")) {
    requireFromDisk(name, dirname(process.execPath));
    return;
  }
  const require = createRequire(import.meta.url);
  const path = require.resolve(name);
  // Not from a folder above the sources.
  if (!path.startsWith(fileURLToPath(new URL("../../node_modules/", import.meta.url))))
    throw new Error(`${path} is not of the program's own node_modules`);
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
      "tfjs-backend-wasm-threaded-simd.wasm": threadedPath,
    });
  }
  if (!(await tf.setBackend(backend))) throw new Error("its backend did not start");
  if (backend === "wasm") multiplyWithoutTransposes(tf);
}

/**
 * Starts the fastest backend that this machine has: the native library, else WebAssembly, else plain JavaScript.
 * @param wanted only this one.
 * @throws Error when none starts, with what each said.
 */
export async function startBackend(wanted?: Backend): Promise<BackendChoice> {
  ensurePlatform();
  tf.enableProdMode(); // no advice on standard error, no checks of what was tested
  const failures: string[] = [];
  for (const backend of wanted === undefined ? backends : [wanted]) {
    try {
      await tryBackend(backend);
      await tf.ready();
      return { backend, reason: failures.length === 0 ? "the fastest there is" : failures.join("; ") };
    } catch (error) {
      const said = describeError(error).split("\n")[0]?.slice(0, 120);
      failures.push(`${backend} can't be used: ${said}`);
    }
  }
  throw new Error(`TensorFlow.js does not start: ${failures.join("; ")}`);
}
