import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findModel } from "#agent/serving/models/find-model.ts";
import { type OnnxGraph, onnxFile } from "../../../fakes/onnx/onnx-file.ts";

const embedded = await findModel("all-MiniLM-L6-v2", null);

/** BERT's English vocabulary: the tokenizer of the model that the program carries. */
export const bertTokenizer = () => Bun.file(embedded.tokenizerPath);

export const bertConfig = {
  architectures: ["BertModel"],
  model_type: "bert",
  hidden_size: 4,
  max_position_embeddings: 512,
};

/**
 * Writes a model's directory: JSON, bytes or text as files, graphs as ONNX files. BERT's tokenizer and configuration are there unless
 * said otherwise; `null` leaves a file out.
 */
export async function writeModelDirectory(
  directory: string,
  files: Readonly<Record<string, object | string | Uint8Array | Blob | null>>,
): Promise<void> {
  const all = { "tokenizer.json": bertTokenizer(), "config.json": bertConfig, ...files };
  for (const [name, content] of Object.entries(all)) {
    if (content === null) continue;
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    if (typeof content === "string" || content instanceof Uint8Array || content instanceof Blob)
      await Bun.write(path, content);
    else if ("nodes" in content) await Bun.write(path, onnxFile(content as unknown as OnnxGraph));
    else await Bun.write(path, JSON.stringify(content));
  }
}
