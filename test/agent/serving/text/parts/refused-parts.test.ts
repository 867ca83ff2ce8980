import { describe, expect, test } from "bun:test";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

const wordLevel = { type: "WordLevel", vocab: { "[UNK]": 0, a: 1 }, unk_token: "[UNK]" };
const bpe = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] };
const definition = (parts: object) => ({
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  added_tokens: [],
  model: wordLevel,
  ...parts,
});

describe("a tokenizer.json that can't be obeyed is refused with the part and the option", () => {
  test.each([
    { name: "an unknown normaliser", parts: { normalizer: { type: "Nmt" } }, says: 'normalizer: "Nmt"' },
    {
      name: "an option of a normaliser in a sequence",
      parts: { normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Lowercase", locale: "tr" }] } },
      says: "normalizer.normalizers.1.locale",
    },
    {
      name: "an option of a wrong type",
      parts: { normalizer: { type: "BertNormalizer", lowercase: "yes" } },
      says: "normalizer.lowercase: expected true or false",
    },
    {
      name: "a broken charsmap",
      parts: { normalizer: { type: "Precompiled", precompiled_charsmap: "AAAA" } },
      says: "normalizer.precompiled_charsmap",
    },
    {
      name: "a pattern that is none",
      parts: { normalizer: { type: "Replace", pattern: {}, content: "" } },
      says: "normalizer.pattern",
    },
    {
      name: "an expression of a normaliser that is more than characters",
      parts: { normalizer: { type: "Replace", pattern: { Regex: "ab|c" }, content: "" } },
      says: "normalizer.pattern.Regex: expected a character or a class of them",
    },
    {
      name: "a merge of tokens that are not in the vocabulary",
      parts: { model: { ...bpe, merges: ["a c"] } },
      says: "model.merges.0: expected two tokens of the vocabulary",
    },
    {
      name: "an id that is none",
      parts: { model: { ...wordLevel, vocab: { "[UNK]": 0, a: -1 } } },
      says: 'model.vocab: expected a whole number for "a"',
    },
    {
      name: "an unknown pre-tokenizer",
      parts: { pre_tokenizer: { type: "UnicodeScripts" } },
      says: 'pre_tokenizer: "UnicodeScripts"',
    },
    {
      name: "an unknown behaviour",
      parts: { pre_tokenizer: { type: "Punctuation", behavior: "Doubled" } },
      says: "pre_tokenizer.behavior: expected one of",
    },
    {
      name: "an unknown scheme",
      parts: { pre_tokenizer: { type: "Metaspace", prepend_scheme: "last" } },
      says: "pre_tokenizer.prepend_scheme",
    },
    { name: "an unknown model", parts: { model: { type: "Tree", vocab: {} } }, says: 'model: "Tree"' },
    {
      name: "an unknown token that is not in the vocabulary",
      parts: { model: { ...wordLevel, unk_token: "<unk>" } },
      says: "model.unk_token: expected a token of the vocabulary",
    },
    {
      name: "an unknown index that is none",
      parts: { model: { type: "Unigram", vocab: [["a", -1]], unk_id: null } },
      says: "model.unk_id",
    },
    { name: "random merges", parts: { model: { ...bpe, dropout: 0.1 } }, says: "model.dropout" },
    {
      name: "prefixes within words",
      parts: { model: { ...bpe, continuing_subword_prefix: "##" } },
      says: "model.continuing_subword_prefix",
    },
    {
      name: "an added token of whole words only",
      parts: { added_tokens: [{ id: 5, content: "x", single_word: true }] },
      says: "added_tokens.0.single_word",
    },
  ])("$name", ({ parts, says }) => {
    expect(() => createTextTokenizer(definition(parts), { maxTokens: 16 })).toThrow(says);
  });

  test("options without a value are none", () => {
    expect(() =>
      createTextTokenizer(definition({ model: { ...bpe, dropout: null, fuse_unk: false } }), { maxTokens: 16 }),
    ).not.toThrow();
  });
});
