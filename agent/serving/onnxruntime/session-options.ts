import type { InferenceSession } from "onnxruntime-node";

/** Tokens up to which a model's texts are short: with the longest of them, a batch needs some 30 MB. */
const shortTokens = 512;

/** Returns true when a process may keep the memory of its largest batch: of a model that reads long texts, that can be gigabytes. */
export const keepsBatchMemory = (maxTokens: number): boolean => maxTokens <= shortTokens;

/**
 * Returns ONNX Runtime's settings for a model, on whatever it computes.
 * @param keepMemory keeps the memory of a batch for the next one
 */
export function sessionOptions(threads: number, keepMemory: boolean): InferenceSession.SessionOptions {
  return {
    // Without this, ONNX Runtime pins a thread to every core that it sees and fails inside a restricted CPU set.
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // Without an arena every batch takes its memory from the system anew and gives it back: measured with mixed texts, a process with two
    // threads computes 40 % more with it, and settles 30 MB higher, at the largest batch.
    enableCpuMemArena: keepMemory,
    enableMemPattern: false,
    // Threads that spin between two operators, instead of sleeping and being woken, answer a lone text sooner and need less CPU time: of 50, 150
    // and 500 µs at most, 500 was best in both. Between batches they would take the cores from the other processes of a small device.
    extra: {
      session: { force_spinning_stop: "1", intra_op: { allow_spinning: "1", spin_duration_us: "500" } },
    },
  };
}
