import type { InferenceSession } from "onnxruntime-node";

/** Returns ONNX Runtime's settings for a model, on whatever it computes. */
export function sessionOptions(threads: number): InferenceSession.SessionOptions {
  return {
    // Without this, ONNX Runtime pins a thread to every core that it sees and fails inside a restricted CPU set.
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // Measured with batches of many shapes: without arena and pattern the process stays at about 260 MB instead of growing past
    // 340 MB, at the same speed.
    enableCpuMemArena: false,
    enableMemPattern: false,
    // Threads that spin for a moment between two operators answer a lone text in 3.6 ms instead of 4.6 and need no more CPU time; between
    // batches they would take the cores from the other processes of a small device.
    extra: {
      session: { force_spinning_stop: "1", intra_op: { allow_spinning: "1", spin_duration_us: "50" } },
    },
  };
}
