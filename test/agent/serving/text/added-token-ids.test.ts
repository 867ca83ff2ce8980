import { expect, test } from "bun:test";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

const small = { a: 0, b: 1, "[UNK]": 2 };
const gap = { a: 0, b: 9, "[UNK]": 2 };

/** Expected ids of `a <x> <y> b` are those of Hugging Face's tokenizers 0.23. */
test.each([
  {
    added: [
      [3, "<x>"],
      [4, "<y>"],
    ],
    vocab: small,
    ids: [0, 3, 4, 1],
  },
  {
    added: [
      [10, "<x>"],
      [11, "<y>"],
    ],
    vocab: small,
    ids: [0, 3, 4, 1],
  },
  {
    added: [
      [1, "<x>"],
      [5, "<y>"],
    ],
    vocab: small,
    ids: [0, 3, 4, 1],
  },
  {
    added: [
      [4, "<y>"],
      [3, "<x>"],
    ],
    vocab: small,
    ids: [0, 4, 3, 1],
  },
  {
    added: [
      [3, "<x>"],
      [3, "<y>"],
    ],
    vocab: small,
    ids: [0, 3, 4, 1],
  },
  {
    added: [
      [3, "<x>"],
      [4, "<x>"],
    ],
    vocab: small,
    ids: [0, 3, 2, 1],
  },
  {
    added: [
      [10, "<x>"],
      [4, "<y>"],
    ],
    vocab: gap,
    ids: [0, 3, 4, 9],
  },
] as const)("$added beside $vocab", ({ added, vocab, ids }) => {
  const definition = {
    added_tokens: added.map(([id, content]) => ({ id, content, special: true, normalized: false })),
    pre_tokenizer: { type: "WhitespaceSplit" },
    model: { type: "WordLevel", vocab, unk_token: "[UNK]" },
  };
  expect([...createTextTokenizer(definition, { maxTokens: 16 }).tokenize("a <x> <y> b").ids]).toEqual([...ids]);
});

test.each([
  { given: [{ lstrip: false }, { lstrip: true }], ids: [1, 3, 2] },
  { given: [{ lstrip: true }, { lstrip: false, special: true }], ids: [2, 3, 2] },
])("of a token given twice the last one's options count: $given", ({ given, ids }) => {
  const definition = {
    added_tokens: given.map((options, i) => ({ id: 3 + i, content: "ab", normalized: true, ...options })),
    normalizer: { type: "Lowercase" },
    model: { type: "WordLevel", vocab: small, unk_token: "[UNK]" },
  };
  expect([...createTextTokenizer(definition, { maxTokens: 16 }).tokenize("b ab b").ids]).toEqual([...ids]);
});

const bert = { type: "BertNormalizer", clean_text: true, handle_chinese_chars: false, lowercase: false };

/** Expected ids are those of Hugging Face's tokenizers 0.23: what follows a dropped character is not the text's beginning. */
test.each([
  { text: "a b", normalizer: bert, ids: [0, 4] },
  { text: "\u0001a b", normalizer: bert, ids: [1, 4] },
  { text: "a\u0001 b", normalizer: bert, ids: [0, 4] },
  { text: "xa", normalizer: { type: "Replace", pattern: { String: "x" }, content: "" }, ids: [1] },
  { text: "\u0301a", normalizer: { type: "StripAccents" }, ids: [1] },
])("Metaspace at a text's beginning: $text", ({ text, normalizer, ids }) => {
  const definition = {
    normalizer,
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: true },
    model: { type: "WordLevel", vocab: { "▁a": 0, a: 1, "[UNK]": 2, "▁": 3, "▁b": 4, b: 5 }, unk_token: "[UNK]" },
  };
  expect([...createTextTokenizer(definition, { maxTokens: 16 }).tokenize(text).ids]).toEqual([...ids]);
});
