/** Physical limit of a start: loads the default model by ONNX Runtime, computes one vector, says so. No server, tokens, or second process. */
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";

const model = join(import.meta.dir, "..", "..", "models", "all-MiniLM-L6-v2", "model.onnx");
const session = await InferenceSession.create(model, { executionProviders: ["cpu"], intraOpNumThreads: 2 });
const row = (value: bigint) => new Tensor("int64", new BigInt64Array(16).fill(value), [1, 16]);
const { last_hidden_state: vectors } = await session.run({
  input_ids: row(2023n),
  attention_mask: row(1n),
  token_type_ids: row(0n),
});
if (vectors === undefined) throw new Error("the model gave no vectors");
console.log("ready");
