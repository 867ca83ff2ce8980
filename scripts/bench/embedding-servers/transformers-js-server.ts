/**
 * An embedding server as a user of transformers.js would write it, OpenAI's shape: what arrives while the model computes is computed
 * together next, up to 32 texts. Usage: bun transformers-js-server.ts PORT MODELS-DIRECTORY MODEL
 */
import { join } from "node:path";

const [port, models, model] = process.argv.slice(2) as [string, string, string];
const packages = join(import.meta.dir, "..", "..", "..", ".cache", "bench", "transformers-js", "node_modules");
const { env, pipeline } = await import(join(packages, "@huggingface", "transformers", "dist", "transformers.node.mjs"));
env.localModelPath = models;
env.allowRemoteModels = false;
const extract = await pipeline("feature-extraction", model, { dtype: "q8", device: "cpu" });

interface Waiting {
  readonly text: string;
  readonly resolve: (vector: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}
const maxBatch = 32;
const waiting: Waiting[] = [];
let computing = false;

async function computeAll(): Promise<void> {
  if (computing) return;
  computing = true;
  while (waiting.length > 0) {
    const batch = waiting.splice(0, maxBatch);
    try {
      const texts = batch.map(({ text }) => text);
      const output = await extract(texts, { pooling: "mean", normalize: true });
      const size = output.dims.at(-1) as number;
      for (const [row, one] of batch.entries()) one.resolve(output.data.slice(row * size, (row + 1) * size));
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }
  computing = false;
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  async fetch(request) {
    if (new URL(request.url).pathname !== "/v1/embeddings") return new Response("ok");
    const { input } = (await request.json()) as { input: string | string[] };
    const vectors = (typeof input === "string" ? [input] : input).map(
      (text) => new Promise<Float32Array>((resolve, reject) => waiting.push({ text, resolve, reject })),
    );
    void computeAll();
    const data = (await Promise.all(vectors)).map((vector, index) => ({
      object: "embedding",
      index,
      embedding: Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64"),
    }));
    return Response.json({ object: "list", data, model });
  },
});
console.log(`listening on ${server.port}`);
