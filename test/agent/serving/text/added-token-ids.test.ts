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
