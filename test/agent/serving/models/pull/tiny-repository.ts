import type { HubFakeFile } from "../../../../fakes/hub.ts";
import { onnxFile } from "../../../../fakes/onnx/onnx-file.ts";
import { lookUpModel } from "../../../../fakes/onnx/tiny-models.ts";
import { bertConfig, bertTokenizer } from "../write-model-directory.ts";

const json = (value: object) => ({ content: new TextEncoder().encode(JSON.stringify(value)) });

/** A real model of four numbers a text as sentence-transformers lay theirs out, beside files that are not needed. */
export async function tinyRepository(dimension = 4): Promise<Record<string, HubFakeFile>> {
  return {
    ".gitattributes": json({}),
    "README.md": json({}),
    "config.json": json({ ...bertConfig, hidden_size: dimension }),
    "tokenizer.json": { content: await bertTokenizer().bytes() },
    "1_Pooling/config.json": json({ word_embedding_dimension: dimension, pooling_mode_mean_tokens: true }),
    "sentence_bert_config.json": json({ max_seq_length: 64 }),
    "pytorch_model.bin": { content: new Uint8Array(10_000), lfs: true },
    "onnx/model.onnx": { content: onnxFile(lookUpModel({ dimension })), lfs: true },
    "onnx/model_fp16.onnx": { content: onnxFile(lookUpModel({ dimension, type: "float16" })), lfs: true },
  };
}
