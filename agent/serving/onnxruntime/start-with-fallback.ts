import { describeError } from "#platform/errors.ts";
import type { ModelProcess } from "../worker/model-process.ts";
import type { EngineConfig, WorkerEngine } from "./engine-options.ts";

/** Whether a model may be served by the carried library when the operator's fails: not where the list of providers ends without the CPU. */
function mayFallBack({ providers, onnxruntimeDirectory }: WorkerEngine): boolean {
  return onnxruntimeDirectory !== null && (providers === "auto" || providers.includes("cpu"));
}

/** How the carried library is asked to compute instead of the operator's. */
function carriedEngine(engine: WorkerEngine): WorkerEngine {
  return { ...engine, providers: ["cpu"] satisfies EngineConfig["executionProviders"], onnxruntimeDirectory: null };
}

/**
 * Starts a model's processes with the operator's ONNX Runtime, and with the carried one where that fails: it may be no library, of a
 * wrong version, or take its process down. The model's process finds out, so that the agent is not the one that ends. When the carried
 * library fails as well, it was not the operator's fault; otherwise what was found stays true for the processes to come.
 * @param start starts one process
 */
export function createFallbackStart(
  engine: WorkerEngine,
  start: (engine: WorkerEngine, threads: number, signal: AbortSignal) => Promise<ModelProcess>,
): (threads: number, signal: AbortSignal) => Promise<ModelProcess> {
  const directory = engine.onnxruntimeDirectory;
  let problem: string | null = null;
  const startCarried = async (libraryProblem: string, threads: number, signal: AbortSignal) => {
    const process = await start(carriedEngine(engine), threads, signal);
    problem = libraryProblem;
    return { ...process, engine: { ...process.engine, libraryProblem } };
  };
  return async (threads, signal) => {
    if (problem !== null) return startCarried(problem, threads, signal);
    try {
      return await start(engine, threads, signal);
    } catch (error) {
      if (!mayFallBack(engine) || signal.aborted) throw error;
      return startCarried(`${directory}: ${describeError(error)}`, threads, signal);
    }
  };
}
