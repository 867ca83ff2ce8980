import { resolve } from "node:path";
import { refuseUnreadable } from "#agent/serving/admission/check-tokens.ts";
import { shapeVector } from "#agent/serving/admission/shape-vector.ts";
import { writeVectorJson } from "#agent/serving/http/write-vector.ts";
import { findModel, isModelDirectory, onnxChoice, readModelDirectory } from "#agent/serving/models/find-model.ts";
import type { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { defaultThreads } from "#agent/serving/models/model-settings.ts";
import { type EmbeddingModel, openEmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";
import { refuseUnlessForKind } from "#agent/serving/text/text-input.ts";
import type { TokenizedText } from "#agent/serving/text/text-tokenizer.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { closeNewFiles } from "#platform/files/close-to-others.ts";
import { parseConfig } from "#platform/files/read-config.ts";
import { createLogger } from "#platform/log.ts";
import { type Command, optionalString } from "#platform/terminal/command.ts";

async function readTexts(positionals: readonly string[]): Promise<readonly string[]> {
  if (positionals.length !== 1 || positionals[0] !== "-") return positionals;
  return (await Bun.stdin.text()).split(/\r?\n/).filter((line) => line !== "");
}

/** @throws UsageError for a prompt that the model doesn't have, and for a model that is not an embedding model. */
function promptTexts(manifest: ModelManifest, prompt: string | undefined, texts: readonly string[]) {
  try {
    refuseUnlessForKind(manifest, { inputs: texts, sparse: manifest.kind === "sparse" });
    return applyPrompt(manifest, { promptName: prompt }, texts).inputs;
  } catch (error) {
    throw new UsageError(describeError(error));
  }
}

/** @throws UsageError for a text of which the model can't make a vector. */
async function computeAll(model: EmbeddingModel, texts: readonly string[], tokenized: readonly TokenizedText[]) {
  const { signal } = new AbortController();
  const inputs = texts.map((input, index) => ({ input, index }));
  const refuse = () => {
    try {
      refuseUnreadable(model, inputs, tokenized, { field: "TEXT", emptyTexts: "refuse" });
    } catch (error) {
      throw new UsageError(describeError(error));
    }
  };
  refuse();
  return Promise.all(tokenized.map(({ ids }) => model.queue.embed(ids, signal))).catch((error: unknown) => {
    // More is known once the model is loaded.
    refuse();
    throw error;
  });
}

export const embedCommand: Command = {
  summary: "print the embeddings of texts, without a server",
  usage: "TEXT... | -   (-: read one text per line from standard input)",
  examples: ['thormesh embed "the gripper lost the part"', "thormesh embed - --json < texts.txt"],
  options: {
    model: { value: "ID|DIR", help: "model id or directory (default: the agent's default model)" },
    "model-directory": { value: "DIR", help: "directory with one subdirectory for each model" },
    precision: { value: "P", help: "which ONNX file: auto, fp32, fp16, int8 or q4 (default: auto)" },
    prompt: { value: "NAME", help: "prompt of the model to prepend to each text" },
    json: { help: "print JSON" },
  },
  async run(values, positionals) {
    closeNewFiles();
    const texts = await readTexts(positionals);
    if (texts.length === 0) throw new UsageError("expected at least one text, or - to read them from standard input");
    const config = parseConfig(ServingConfig, {}, "the defaults");
    const wanted = optionalString(values, "model") ?? config.model;
    const precision = parseConfig(ServingConfig.properties.precision, values["precision"] ?? "auto", "--precision");
    const choice = onnxChoice({ precision });
    const found = isModelDirectory(wanted)
      ? await readModelDirectory(resolve(wanted), choice)
      : await findModel(wanted, optionalString(values, "model-directory") ?? null, choice);
    const prompted = promptTexts(found.manifest, optionalString(values, "prompt"), texts);
    const threads = defaultThreads();
    const model = await openEmbeddingModel(found, { ...config, threads }, createLogger("embed", "warn"), {
      onBatch() {},
      onLoaded() {},
    });
    try {
      const tokenized = prompted.map((text) => model.tokenizer.tokenize(text));
      const results = await computeAll(model, texts, tokenized);
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
