import { bertTokenizer, writeModelDirectory } from "../../agent/serving/models/write-model-directory.ts";
import { decoderModel } from "./decoder-model.ts";

/** Directory of a decoder as sentence-transformers writes it: an instruction as prompt, the last token's vector, padding on the left. */
export async function writeDecoder(directory: string): Promise<void> {
  const bert = (await bertTokenizer().json()) as object;
  const modules = ["", "1_Pooling", "2_Normalize"].map((path, idx) => ({
    idx,
    path,
    type: `sentence_transformers.models.${path.split("_")[1] ?? "Transformer"}`,
  }));
  await writeModelDirectory(directory, {
    "onnx/model.onnx": decoderModel(),
    "config.json": {
      architectures: ["Qwen3ForCausalLM"],
      model_type: "qwen3",
      hidden_size: 16,
      max_position_embeddings: 128,
    },
    "modules.json": modules,
    "1_Pooling/config.json": { word_embedding_dimension: 16, pooling_mode_lasttoken: true, include_prompt: true },
    "config_sentence_transformers.json": {
      prompts: {
        query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
        document: "",
      },
      default_prompt_name: null,
    },
    "tokenizer.json": {
      ...bert,
      padding: {
        strategy: "BatchLongest",
        direction: "Left",
        pad_to_multiple_of: null,
        pad_id: 0,
        pad_type_id: 0,
        pad_token: "[PAD]",
      },
      truncation: null,
      post_processor: {
        type: "TemplateProcessing",
        single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "[SEP]", type_id: 0 } }],
        pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
        special_tokens: { "[SEP]": { id: "[SEP]", ids: [102], tokens: ["[SEP]"] } },
      },
    },
    "tokenizer_config.json": { padding_side: "left", model_max_length: 128, pad_token: "[PAD]" },
  });
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) throw new Error("expected a directory, got none");
  await writeDecoder(directory);
}
