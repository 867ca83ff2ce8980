import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bertModel } from "../../../fakes/onnx/bert-model.ts";
import { cosine, readReferenceTexts } from "../reference-texts.ts";
import { testServing } from "../start-serving.ts";
import { bertConfig, writeModelDirectory } from "./write-model-directory.ts";

/** Models that scripts/fetch-test-models has fetched. */
const fetched = join(import.meta.dir, "../../../../.cache/test-models");
const paraphrase = join(fetched, "paraphrase-MiniLM-L3-v2", "paraphrase-MiniLM-L3-v2.onnx");
const original = join(fetched, "all-MiniLM-L6-v2");
const skipped = (path: string) => (existsSync(path) ? "" : " (skipped: scripts/fetch-test-models has not fetched it)");

const directory = await mkdtemp(join(tmpdir(), "thormesh-test-"));
afterAll(() => rm(directory, { recursive: true }));
const reference = await readReferenceTexts();

/** The lowest cosine between what a directory's model answers to the reference texts and what it should. */
async function lowestCosine(id: string, expected: readonly Float32Array[]): Promise<number> {
  const server = testServing({ model: id, modelDirectory: directory });
  await server.serving.start();
  try {
    const { status, body } = await server.post("/api/v1/embed", { inputs: reference.map(({ text }) => text) });
    expect([status, body["error"]]).toEqual([200, undefined]);
    return Math.min(...expected.map((vector, i) => cosine(vector, body["embeddings"][i])));
  } finally {
    await server.serving.stop();
  }
}

/** Rows of test/fixtures/embeddings/paraphrase-MiniLM-L3-v2.f32: the means, then the first tokens. */
async function paraphraseRows(from: number): Promise<Float32Array[]> {
  const path = join(import.meta.dir, "../../../fixtures/embeddings/paraphrase-MiniLM-L3-v2.f32");
  const values = new Float32Array(await Bun.file(path).arrayBuffer());
  return reference.map((_, i) => values.subarray((from + i) * 384, (from + i + 1) * 384));
}

describe.skipIf(!existsSync(paraphrase))(`paraphrase-MiniLM-L3-v2${skipped(paraphrase)}`, () => {
  test.each([
    { pooling: "mean", mode: "pooling_mode_mean_tokens", from: 0 },
    { pooling: "cls", mode: "pooling_mode_cls_token", from: 40 },
  ])(
    "float32, an export without telling names, $pooling pooling: the reference's vectors",
    async ({ pooling, mode, from }) => {
      const id = `paraphrase-${pooling}`;
      await writeModelDirectory(join(directory, id), {
        "config.json": { ...bertConfig, hidden_size: 384 },
        "sentence_bert_config.json": { max_seq_length: 128 },
        "1_Pooling/config.json": { word_embedding_dimension: 384, [mode]: true },
      });
      await symlink(paraphrase, join(directory, id, "model.onnx"));
      expect(await lowestCosine(id, await paraphraseRows(from))).toBeGreaterThan(0.9999);
    },
  );
});

describe.skipIf(!existsSync(original))(`the float32 original of all-MiniLM-L6-v2${skipped(original)}`, () => {
  test("its sentence-transformers directory as it is, weights beside the graph: the reference's vectors", async () => {
    const id = "original";
    const published = [
      "config.json",
      "modules.json",
      "sentence_bert_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
    ];
    const files = [...published, "config_sentence_transformers.json", "1_Pooling/config.json", "model.safetensors"];
    await writeModelDirectory(join(directory, id), {
      ...Object.fromEntries(files.map((file) => [file, Bun.file(join(original, file))])),
      // The publishers' file of weights, with a graph that points into it: a model with external data.
      "model.onnx": await bertModel(join(original, "model.safetensors"), "model.safetensors", {
        layers: 6,
        heads: 12,
        hidden: 384,
      }),
    });
    expect(
      await lowestCosine(
        id,
        reference.map(({ vector }) => vector),
      ),
    ).toBeGreaterThan(0.9999);
  });
});
