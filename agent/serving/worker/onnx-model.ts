import { InferenceSession, Tensor } from "onnxruntime-node";
import { poolTokens } from "./pool-tokens.ts";

export interface OnnxModelOptions {
  readonly dimension: number;
  readonly threads: number;
}

export interface OnnxModel {
  /** One vector a text, not normalised. Blocks this thread while it computes. */
  run(texts: readonly Uint32Array[], paddedTokens: number): Promise<Float32Array[]>;
}

/**
 * Loads a BERT-like encoder (input_ids, attention_mask, token_type_ids → last_hidden_state) into ONNX Runtime on the CPU.
 * @throws Error when ONNX Runtime refuses the file or the output is not as the manifest says.
 */
export async function loadOnnxModel(bytes: Uint8Array, options: OnnxModelOptions): Promise<OnnxModel> {
  const session = await InferenceSession.create(bytes, {
    executionProviders: ["cpu"],
    // Left alone, ONNX Runtime pins a thread to every core it sees and fails inside a restricted CPU set.
    intraOpNumThreads: options.threads,
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
  });
  const withTypes = session.inputNames.includes("token_type_ids");
  const [outputName] = session.outputNames;
  if (outputName === undefined) throw new Error("the model has no output");
  return {
    async run(texts, paddedTokens) {
      const shape = [texts.length, paddedTokens];
      const ids = new BigInt64Array(texts.length * paddedTokens);
      const mask = new BigInt64Array(ids.length);
      for (const [row, text] of texts.entries()) {
        const start = row * paddedTokens;
        for (const [index, id] of text.entries()) ids[start + index] = BigInt(id);
        mask.fill(1n, start, start + text.length);
      }
      const outputs = await session.run({
        input_ids: new Tensor("int64", ids, shape),
        attention_mask: new Tensor("int64", mask, shape),
        ...(withTypes ? { token_type_ids: new Tensor("int64", new BigInt64Array(ids.length), shape) } : {}),
      });
      const output = outputs[outputName];
      if (output === undefined || output.dims.at(-1) !== options.dimension || !(output.data instanceof Float32Array)) {
        throw new Error(
          `the model's output is ${output?.type} [${output?.dims}], not float vectors of ${options.dimension}`,
        );
      }
      const lengths = texts.map((text) => text.length);
      const vectors = poolTokens(output.data, lengths, paddedTokens, options.dimension);
      output.dispose();
      return vectors;
    },
  };
}
