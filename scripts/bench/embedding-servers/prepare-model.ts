import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Lays the default model out as Hugging Face's libraries expect a model, with the very same weights.
 * The shape is that of all-MiniLM-L6-v2: six layers of 384 with twelve heads.
 * @returns the directory of models that holds it.
 */
export async function prepareModel(source: string, modelsDirectory: string, name: string): Promise<string> {
  const directory = join(modelsDirectory, name);
  mkdirSync(join(directory, "onnx"), { recursive: true });
  copyFileSync(join(source, "model.onnx"), join(directory, "onnx", "model_quantized.onnx"));
  const tokenizer = await Bun.file(join(source, "tokenizer.json")).json();
  // As thormesh reads it: cut at 256 tokens, padded to the longest of a batch only.
  const truncation = { max_length: 256, strategy: "LongestFirst", stride: 0, direction: "Right" };
  const write = (file: string, content: object) => Bun.write(join(directory, file), JSON.stringify(content));
  await write("tokenizer.json", { ...tokenizer, padding: null, truncation });
  await write("tokenizer_config.json", {
    tokenizer_class: "BertTokenizer",
    do_lower_case: true,
    model_max_length: 256,
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    unk_token: "[UNK]",
    mask_token: "[MASK]",
  });
  await write("config.json", {
    model_type: "bert",
    architectures: ["BertModel"],
    hidden_size: 384,
    num_hidden_layers: 6,
    num_attention_heads: 12,
    intermediate_size: 1536,
    hidden_act: "gelu",
    max_position_embeddings: 512,
    type_vocab_size: 2,
    vocab_size: Object.keys(tokenizer.model.vocab).length,
    layer_norm_eps: 1e-12,
    pad_token_id: 0,
  });
  return modelsDirectory;
}
