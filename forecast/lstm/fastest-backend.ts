import { describeError } from "#platform/errors.ts";
import { type Backend, type BackendChoice, startBackend } from "./tensorflow.ts";

/** Runs of one measurement, after one that compiles. */
const measuredRuns = 9;

/** Returns the median duration of some runs, ms. The first run is not counted. */
export async function medianMs(run: () => unknown, nowMs = () => performance.now()): Promise<number> {
  await run();
  const durationsMs: number[] = [];
  for (let index = 0; index < measuredRuns; index += 1) {
    const startMs = nowMs();
    await run();
    durationsMs.push(nowMs() - startMs);
  }
  return durationsMs.sort((a, b) => a - b)[Math.floor(measuredRuns / 2)] as number;
}

/**
 * Starts the backend that is fastest on this machine. Where the native library is installed, it and WebAssembly are measured with the same
 * work: which one is faster depends on the size of the network and on the library's build.
 * @param measureMs duration of the work on the backend in use
 * @throws Error when no backend starts.
 */
export async function startFastestBackend(
  measureMs: () => Promise<number>,
  start: (wanted?: Backend) => Promise<BackendChoice> = startBackend,
): Promise<BackendChoice> {
  const first = await start();
  if (first.backend !== "tfjs-node") return first;
  const nativeMs = await measureMs();
  let wasmMs: number;
  try {
    await start("wasm");
    wasmMs = await measureMs();
  } catch (error) {
    await start("tfjs-node");
    return { backend: "tfjs-node", reason: `wasm can't be measured: ${describeError(error)}` };
  }
  const compared = (ms: number, other: string, otherMs: number) =>
    `measured here: ${ms.toFixed(1)} ms, ${other} ${otherMs.toFixed(1)} ms`;
  if (wasmMs <= nativeMs) return { backend: "wasm", reason: compared(wasmMs, "tfjs-node", nativeMs) };
  await start("tfjs-node");
  return { backend: "tfjs-node", reason: compared(nativeMs, "wasm", wasmMs) };
}
