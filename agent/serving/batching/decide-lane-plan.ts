import type { ModelSettings } from "#agent/serving/models/model-settings.ts";
import { type BatchPolicy, usualLengths } from "./decide-batch.ts";

/** How a model's line is computed. */
export interface LanePlan {
  readonly policy: BatchPolicy;
  /** Processes of one thread each that take over while the line is long. */
  readonly narrowLanes: number;
  /** They are started when the model is in use, not only when the line is long: memory then stays as it is whatever the load. */
  readonly startEarly: boolean;
  /** Batches that the process with all threads is given at once. */
  readonly wideBatches: number;
  readonly reason: string;
}

/** A small model's processes may take so much before they are needed. */
const mostEarlyBytes = 1_000_000_000;

/**
 * What is configured, and what suits the processor where nothing is. Measured on two cores: on a CPU more than some 256 tokens a batch
 * gain nothing, and two processes of one thread compute 16 % more under full load than one of two. A GPU wants batches that fill it
 * (16,384 tokens is what text-embeddings-inference takes) and the next one at hand when it has computed one; a second process would
 * only hold the model's weights twice. Its runtime prepares itself for each shape, so texts are padded to few lengths.
 * @param processBytes what one of the model's processes takes
 */
export function decideLanePlan(
  settings: Omit<ModelSettings, "precision" | "threads"> & { readonly threads: number },
  computesOnGpu: boolean,
  processBytes: number,
): LanePlan {
  const { threads, oneThreadProcesses, batchTokens, batchTexts, paddedLengths } = settings;
  if (computesOnGpu) {
    return {
      policy: {
        maxTokens: batchTokens ?? 16_384,
        maxTexts: batchTexts ?? 256,
        padTo: paddedLengths ?? usualLengths,
      },
      narrowLanes: 0,
      startEarly: false,
      wideBatches: 2,
      reason: "a GPU: large batches of few lengths, the next one at hand",
    };
  }
  const narrowLanes = oneThreadProcesses ?? (threads > 1 ? threads : 0);
  return {
    policy: { maxTokens: batchTokens ?? 256, maxTexts: batchTexts ?? 32, padTo: paddedLengths ?? "longest" },
    narrowLanes,
    startEarly: narrowLanes * processBytes <= mostEarlyBytes,
    wideBatches: 1,
    reason: "a CPU: small batches of like lengths, a process a thread while the line is long",
  };
}
