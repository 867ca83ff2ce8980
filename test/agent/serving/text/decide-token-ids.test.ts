import { describe, expect, test } from "bun:test";
import { decideTokenIds, type TokenIdsSetting } from "#agent/serving/text/decide-token-ids.ts";
import { explainTokenIds } from "#agent/serving/text/explain-token-ids.ts";

const bert = { highestId: 30_521, before: [101], after: [102], padId: 0, maxTokens: 6 };
const roberta = { highestId: 50_264, before: [0], after: [2], padId: 1, maxTokens: 6 };
const t5 = { highestId: 32_099, before: [], after: [1], padId: 0, maxTokens: 6 };
const qwen = { highestId: 151_668, before: [], after: [151_643], padId: 151_643, maxTokens: 6 };
const gpt = { highestId: 50_256, before: [], after: [], padId: null, maxTokens: 6 };
/** "Hello world" in OpenAI's cl100k_base. */
const foreign = [9_906, 1_917];

describe("token ids by the model's special tokens and the setting", () => {
  test.each([
    { name: "between special tokens", marks: bert, ids: [101, 7592, 102], expected: [101, 7592, 102] },
    { name: "special tokens alone", marks: bert, ids: [101, 102], expected: [101, 102] },
    { name: "a special token that is both ends", marks: bert, ids: [101], expected: "unmarked" },
    { name: "without special tokens", marks: bert, ids: foreign, expected: "unmarked" },
    { name: "without the first", marks: bert, ids: [7592, 102], expected: "unmarked" },
    { name: "without the last", marks: bert, ids: [101, 7592], expected: "unmarked" },
    { name: "too long, which keeps the end", marks: bert, ids: [101, 1, 2, 3, 4, 5, 102], expected: "cut" },
    {
      name: "RoBERTa's, whose marks are ! and # elsewhere",
      marks: roberta,
      ids: [0, 9, 2],
      expected: "no-telling-marks",
    },
    { name: "T5's, whose mark is \" elsewhere", marks: t5, ids: [9, 1], expected: "no-telling-marks" },
    { name: "a model without special tokens", marks: gpt, ids: foreign, expected: "no-telling-marks" },
    { name: "a mark beyond OpenAI's vocabulary", marks: qwen, ids: [9707, 151_643], expected: [9707, 151_643] },
    { name: "the same without it", marks: qwen, ids: foreign, expected: "unmarked" },
    { name: "own: special tokens are added", setting: "own", marks: bert, ids: [7592], expected: [101, 7592, 102] },
    { name: "own: they are there", setting: "own", marks: bert, ids: [101, 7592, 102], expected: [101, 7592, 102] },
    { name: "own: RoBERTa's", setting: "own", marks: roberta, ids: [9], expected: [0, 9, 2] },
    { name: "own: without special tokens", setting: "own", marks: gpt, ids: foreign, expected: foreign },
    { name: "own: too long", setting: "own", marks: bert, ids: [1, 2, 3, 4, 5], expected: "cut" },
    { name: "padding behind the last", marks: bert, ids: [101, 7592, 102, 0, 0], expected: "unmarked" },
    { name: "padding inside", marks: bert, ids: [101, 7592, 0, 102], expected: "padded" },
    { name: "padding in front, by a mark", marks: qwen, ids: [151_643, 9707, 151_643], expected: "padded" },
    { name: "the same behind", marks: qwen, ids: [9707, 151_643, 151_643], expected: "padded" },
    {
      name: "a mark inside, as of a text that names it",
      marks: bert,
      ids: [101, 5, 102, 6, 102],
      expected: [101, 5, 102, 6, 102],
    },
    { name: "own: padded", setting: "own", marks: bert, ids: [101, 7592, 102, 0, 0], expected: "padded" },
    { name: "own: padded, unmarked", setting: "own", marks: t5, ids: [7592, 0], expected: "padded" },
    { name: "own: without the first", setting: "own", marks: bert, ids: [7592, 102], expected: "half-marked" },
    { name: "own: without the last", setting: "own", marks: roberta, ids: [0, 9], expected: "half-marked" },
    { name: "own: a mark inside", setting: "own", marks: t5, ids: [9, 1, 9], expected: "half-marked" },
    { name: "cl100k_base: texts by then", setting: "cl100k_base", marks: bert, ids: [9], expected: "none-accepted" },
    { name: "none", setting: "none", marks: bert, ids: [101, 7592, 102], expected: "none-accepted" },
    { name: "the highest", setting: "own", marks: gpt, ids: [50_256], expected: [50_256] },
    { name: "beyond the vocabulary", setting: "own", marks: gpt, ids: [50_257], expected: "outside-vocabulary" },
    { name: "beyond it, between marks", marks: bert, ids: [101, 30_522, 102], expected: "outside-vocabulary" },
    { name: "negative", marks: bert, ids: [101, -1, 102], expected: "outside-vocabulary" },
    { name: "fractions", marks: bert, ids: [101, 1.5, 102], expected: "outside-vocabulary" },
    { name: "NaN", marks: bert, ids: [101, Number.NaN, 102], expected: "outside-vocabulary" },
  ] as const)("$name", ({ marks, ids, expected, ...rest }) => {
    const setting: TokenIdsSetting = "setting" in rest ? rest.setting : "marked";
    const decision = decideTokenIds(ids, marks, setting);
    if (expected === "cut")
      expect(decision).toMatchObject({ ids: Uint32Array.of(101, 1, 2, 3, 4, 102), truncated: true });
    else if (typeof expected === "string") expect(decision).toEqual({ kind: "refused", rule: expected });
    else expect(decision).toMatchObject({ kind: "accepted", ids: Uint32Array.from(expected), truncated: false });
  });
});

describe("the sentence for a client", () => {
  test.each([
    ["half-marked", "all of org/m's special tokens around them (101 … 102) or with none, got a list with some"],
    ["padded", "without org/m's padding (0), got a list with it"],
  ] as const)("%s: names what was expected", (rule, says) => {
    expect(explainTokenIds(rule, "org/m", bert)).toContain(says);
  });

  test.each([
    ["unmarked", "expected token ids between org/m's special tokens (101 … 102), got others"],
    ["no-telling-marks", "org/m's special tokens (101 … 102) don't tell its ids from another vocabulary's"],
    ["outside-vocabulary", "expected token ids of org/m's vocabulary, 0 to 30521, got others"],
  ] as const)("%s: names what was expected and the client's setting", (rule, says) => {
    const message = explainTokenIds(rule, "org/m", bert);
    expect(message).toContain(says);
    expect(message).toContain("check_embedding_ctx_length=False");
  });

  test("none-accepted names the setting that refuses", () => {
    expect(explainTokenIds("none-accepted", "org/m", bert)).toContain("serving.tokenIds: none");
  });
});
