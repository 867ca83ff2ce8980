import { expect, test } from "bun:test";
import { refuseContradictions } from "#agent/serving/text/refuse-contradictions.ts";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

const tokenizer = (normalizer: object | null, ends: { readonly before?: boolean; readonly after?: boolean } = {}) => {
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const single = [
    ...(ends.before === true ? [special("<s>")] : []),
    { Sequence: { id: "A", type_id: 0 } },
    ...(ends.after === true ? [special("</s>")] : []),
  ];
  const tokens = { "<s>": { id: "<s>", ids: [1] }, "</s>": { id: "</s>", ids: [2] } };
  return {
    normalizer,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: {
      type: "TemplateProcessing",
      single,
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: tokens,
    },
    model: { type: "WordLevel", vocab: { "[UNK]": 0, "<s>": 1, "</s>": 2 }, unk_token: "[UNK]" },
  };
};
const bert = (options: object = {}) => ({
  type: "BertNormalizer",
  lowercase: true,
  strip_accents: null,
  handle_chinese_chars: true,
  ...options,
});
const llama = { tokenizer_class: "LlamaTokenizerFast", bos_token: "<s>", eos_token: { content: "</s>" } };

test.each([
  { name: "nothing", definition: tokenizer(bert()), config: {}, says: null },
  {
    name: "the same",
    definition: tokenizer(bert()),
    config: { tokenizer_class: "BertTokenizer", do_lower_case: true },
    says: null,
  },
  {
    name: "another case",
    definition: tokenizer(bert()),
    config: { tokenizer_class: "BertTokenizer", do_lower_case: false },
    says: "do_lower_case: expected true, as normalizer.lowercase of tokenizer.json says, got false",
  },
  {
    name: "another case in a file that leaves the option out",
    definition: tokenizer({ type: "BertNormalizer" }),
    config: { tokenizer_class: "DistilBertTokenizerFast", do_lower_case: false },
    says: "do_lower_case: expected true",
  },
  {
    name: "other accents",
    definition: tokenizer(bert()),
    config: { tokenizer_class: "BertTokenizer", strip_accents: false },
    says: "strip_accents: expected null",
  },
  {
    name: "other Chinese characters",
    definition: tokenizer(bert({ handle_chinese_chars: false })),
    config: { tokenizer_class: "BertTokenizer", tokenize_chinese_chars: true },
    says: "tokenize_chinese_chars: expected false",
  },
  {
    name: "no opinion on accents",
    definition: tokenizer(bert()),
    config: { tokenizer_class: "BertTokenizer", strip_accents: null },
    says: null,
  },
  {
    name: "a class that reads tokenizer.json only",
    definition: tokenizer(bert()),
    config: { tokenizer_class: "PreTrainedTokenizerFast", do_lower_case: false },
    says: null,
  },
  {
    name: "an end that is not set",
    definition: tokenizer(null, { before: true }),
    config: { ...llama, add_eos_token: true },
    says: "add_eos_token: expected false",
  },
  {
    name: "an end that no one wants",
    definition: tokenizer(null, { after: true }),
    config: { ...llama, add_eos_token: false },
    says: "add_eos_token: expected true",
  },
  {
    name: "a beginning that is not set",
    definition: tokenizer(null),
    config: { ...llama, add_bos_token: true },
    says: "add_bos_token: expected false",
  },
  {
    name: "an end of any class",
    definition: tokenizer(null),
    config: { ...llama, tokenizer_class: "Qwen2Tokenizer", add_eos_token: true },
    says: "add_eos_token: expected false",
  },
  {
    name: "both as they are set",
    definition: tokenizer(null, { before: true, after: true }),
    config: { ...llama, add_bos_token: true, add_eos_token: true },
    says: null,
  },
  {
    name: "a class that ignores it",
    definition: tokenizer(null),
    config: { ...llama, tokenizer_class: "GPT2Tokenizer", add_bos_token: true },
    says: null,
  },
])("tokenizer_config.json says $name", ({ definition, config, says }) => {
  const check = () => refuseContradictions(definition, config, createTextTokenizer(definition, { maxTokens: 8 }));
  if (says === null) expect(check).not.toThrow();
  else expect(check).toThrow(says);
});
