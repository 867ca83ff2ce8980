import { defaultThreads } from "#agent/serving/default-threads.ts";
import { openEmbeddingModel } from "#agent/serving/embedding-model.ts";
import { findModel } from "#agent/serving/find-model.ts";
import { writeVectorJson } from "#agent/serving/http/write-vector.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { shapeVector } from "#agent/serving/shape-vector.ts";
import { UsageError } from "#platform/errors.ts";
import { createLogger } from "#platform/log.ts";
import { parseConfig } from "#platform/read-config.ts";
import { type Command, optionalString } from "./command.ts";

async function readTexts(positionals: readonly string[]): Promise<readonly string[]> {
  if (positionals.length !== 1 || positionals[0] !== "-") return positionals;
  return (await Bun.stdin.text()).split(/\r?\n/).filter((line) => line !== "");
}

export const embedCommand: Command = {
  summary: "print the vectors of texts, without a server",
  usage: "TEXT... | -   (-: one text a line from standard input)",
  options: {
    model: { type: "string", value: "ID", help: "the model (default: the one an agent serves)" },
    "model-directory": { type: "string", value: "DIR", help: "holds one directory a model" },
    json: { type: "boolean", help: "print JSON" },
  },
  async run(values, positionals) {
    const texts = await readTexts(positionals);
    if (texts.length === 0) throw new UsageError("expected at least one text, or - to read them from standard input");
    const config = parseConfig(ServingConfig, {}, "the defaults");
    const found = await findModel(
      optionalString(values, "model") ?? config.model,
      optionalString(values, "model-directory") ?? null,
    );
    const threads = defaultThreads();
    const model = await openEmbeddingModel(found, { ...config, threads }, createLogger("embed", "error"), {
      onBatch() {},
      onLoaded() {},
    });
    try {
      const { signal } = new AbortController();
      const tokenized = texts.map((text) => model.tokenizer.tokenize(text));
      const results = await Promise.all(tokenized.map(({ ids }) => model.queue.embed(ids, signal)));
      const { id, dimension, normalise } = found.manifest;
      const vectors = results.map(({ vector }) => writeVectorJson(shapeVector(vector, { normalize: normalise })));
      if (values["json"] === true) {
        const truncated = tokenized.filter((text) => text.truncated).length;
        const head = JSON.stringify({ model: id, dimension, truncated });
        console.log(`${head.slice(0, -1)},"embeddings":[${vectors.join(",")}]}`);
      } else for (const vector of vectors) console.log(vector);
      return 0;
    } finally {
      await model.stop();
    }
  },
};
