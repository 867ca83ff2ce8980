/** See scripts/bench/batch-sizes. */
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { defaultThreads } from "#agent/serving/models/model-settings.ts";
import { loadOnnxModel } from "#agent/serving/worker/onnx-model.ts";

const { values } = parseArgs({ options: { ms: { type: "string", default: "1500" } } });
const wantedMs = Number(values.ms);
const threads = defaultThreads();
const lengths = [16, 64, 256];
const sizes = [1, 2, 4, 8, 16, 32, 64];
const file = join(import.meta.dir, "..", "..", "models", "all-MiniLM-L6-v2", "model.onnx");
const model = await loadOnnxModel(file, { dimension: 384, pooling: "mean", threads, keepMemory: true });
/** Any word of the vocabulary will do. */
const token = 2_000;

console.log(`${availableParallelism()} x ${cpus()[0]?.model ?? "?"}, ${threads} threads, all-MiniLM-L6-v2\n`);
console.log(`| texts a batch | ${lengths.map((length) => `${length} tokens`).join(" | ")} |`);
console.log(`|---|${lengths.map(() => "---").join("|")}|`);
for (const size of sizes) {
  const rates: string[] = [];
  for (const length of lengths) {
    const texts = Array.from({ length: size }, () => new Uint32Array(length).fill(token));
    await model.run(texts, length);
    const startedMs = performance.now();
    let computed = 0;
    while (performance.now() - startedMs < wantedMs) {
      await model.run(texts, length);
      computed += size;
    }
    rates.push((computed / ((performance.now() - startedMs) / 1000)).toPrecision(3));
  }
  console.log(`| ${size} | ${rates.join(" | ")} |`);
}
