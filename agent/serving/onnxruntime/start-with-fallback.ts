import { describeError } from "#platform/errors.ts";
import type { ModelProcess } from "../worker/model-process.ts";
import type { EngineConfig, WorkerEngine } from "./engine-options.ts";

/** True when the carried library may serve a model after the operator's failed: when the list of providers has the CPU. */
function mayFallBack({ providers, onnxruntimeDirectory }: WorkerEngine): boolean {
  return onnxruntimeDirectory !== null && (providers === "auto" || providers.includes("cpu"));
}

function carriedEngine(engine: WorkerEngine): WorkerEngine {
  return { ...engine, providers: ["cpu"] satisfies EngineConfig["executionProviders"], onnxruntimeDirectory: null };
}

/**
 * Starts a model's processes with the operator's ONNX Runtime, or with the carried one when that fails: it may be damaged, of a wrong version,
 * or crash its process. The model's process tries it, so that the agent does not crash. When the carried library fails as well, the
 * operator's is not at fault; otherwise the carried one also starts all later processes.
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
