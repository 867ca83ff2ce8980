import type { ModelSettings } from "#agent/serving/models/model-settings.ts";
import { type BatchPolicy, defaultLengths } from "./decide-batch.ts";

export interface LanePlan {
  readonly policy: BatchPolicy;
  /** Number of single-threaded processes that take over while the queue is long. */
  readonly narrowLanes: number;
  /** Start them when the model is in use instead of when the queue is long, so that memory does not grow with the load. */
  readonly startEarly: boolean;
  /** Batches that the process with all threads is given at once. */
  readonly wideBatches: number;
  /** Processor that the plan suits. */
  readonly rule: "cpu" | "gpu";
}

/** Maximum memory of narrow lanes that are started before they are needed. */
const maxEarlyBytes = 1_000_000_000;

/**
 * Plans a model's processes and batches: as configured, or as suits the processor. Measured on two cores: on a CPU, batches of more than some
 * 256 tokens gain nothing, and two processes of one thread compute 16 % more under full load than one of two threads. A GPU needs batches that
 * fill it (16,384 tokens, as in text-embeddings-inference) and the next one ready; a second process would only hold the weights twice. Its
 * runtime prepares itself for each shape, so texts are padded to a few lengths.
 * @param processBytes memory of one of the model's processes
 */
export function decideLanePlan(
  settings: Omit<ModelSettings, "precision" | "threads" | "tokenIds"> & { readonly threads: number },
  computesOnGpu: boolean,
  processBytes: number,
): LanePlan {
  const { threads, oneThreadProcesses, batchTokens, batchTexts, paddedLengths } = settings;
  if (computesOnGpu) {
    return {
      policy: {
        maxTokens: batchTokens ?? 16_384,
        maxTexts: batchTexts ?? 256,
        padTo: paddedLengths ?? defaultLengths,
      },
      narrowLanes: 0,
      startEarly: false,
      wideBatches: 2,
      rule: "gpu",
    };
  }
  const narrowLanes = oneThreadProcesses ?? (threads > 1 ? threads : 0);
  return {
    policy: { maxTokens: batchTokens ?? 256, maxTexts: batchTexts ?? 32, padTo: paddedLengths ?? "longest" },
    narrowLanes,
    startEarly: narrowLanes * processBytes <= maxEarlyBytes,
    wideBatches: 1,
    rule: "cpu",
  };
}
