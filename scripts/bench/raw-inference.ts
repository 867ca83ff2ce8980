/**
 * The physical limit for the other benchmarks: ONNX Runtime alone, no server around it, on one text over and over in batches of the size
 * that is asked for. Usage: bun scripts/bench/raw-inference.ts --text TEXT --batch N --threads N --ms N. Prints texts per second.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

const { values } = parseArgs({
  options: {
    text: { type: "string", default: "why did the conveyor stop" },
    batch: { type: "string", default: "8" },
    threads: { type: "string", default: "2" },
    ms: { type: "string", default: "10000" },
  },
});
const directory = join(import.meta.dir, "..", "..", "models", "all-MiniLM-L6-v2");
const { ids } = createTextTokenizer(await Bun.file(join(directory, "tokenizer.json")).json(), {
  maxTokens: 256,
}).tokenize(values.text);
const session = await InferenceSession.create(join(directory, "model.onnx"), {
  executionProviders: ["cpu"],
  intraOpNumThreads: Number(values.threads),
});
const rows = Number(values.batch);
const shape = [rows, ids.length];
const repeated = new BigInt64Array(rows * ids.length);
for (let row = 0; row < rows; row += 1) repeated.set(BigInt64Array.from(ids, BigInt), row * ids.length);
const feeds: Record<string, Tensor> = {
  input_ids: new Tensor("int64", repeated, shape),
  attention_mask: new Tensor("int64", new BigInt64Array(repeated.length).fill(1n), shape),
};
if (session.inputNames.includes("token_type_ids")) {
  feeds["token_type_ids"] = new Tensor("int64", new BigInt64Array(repeated.length), shape);
}
for (let warmUp = 0; warmUp < 10; warmUp += 1) await session.run(feeds);
const startedMs = performance.now();
let texts = 0;
while (performance.now() - startedMs < Number(values.ms)) {
  await session.run(feeds);
  texts += rows;
}
console.log(texts / ((performance.now() - startedMs) / 1000));
