import { describe, expect, test } from "bun:test";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { tokenizeInputs } from "#agent/serving/text/tokenize-inputs.ts";

const definition = (pattern: string, behavior: string) => ({
  normalizer: null,
  pre_tokenizer: { type: "Split", pattern: { Regex: pattern }, behavior, invert: false },
  post_processor: null,
  decoder: null,
  added_tokens: [],
  model: { type: "WordLevel", vocab: { "[UNK]": 0, ab: 1, "ab,": 2, ",": 3, ",ab": 4 }, unk_token: "[UNK]" },
});
const modelOf = (pattern: string, behavior: string) => ({
  tokenizer: createTextTokenizer(definition(pattern, behavior), { maxTokens: 100_000 }),
  found: { manifest: { id: "own" } } as never,
});

describe("an expression of a model's own", () => {
  const text = "ab,".repeat(5_000);
  test.each([
    { behavior: "Isolated", ids: [1, 3] },
    { behavior: "Removed", ids: [1] },
    { behavior: "MergedWithPrevious", ids: [2] },
    { behavior: "Contiguous", ids: [1, 3] },
  ])("$behavior: a long text is split as a whole", async ({ behavior, ids }) => {
    const [read] = await tokenizeInputs(modelOf("[,]+", behavior), [{ index: 0, input: text }], "input");
    expect([...(read?.ids ?? [])]).toEqual(Array(5_000).fill(ids).flat());
  });

  test("MergedWithNext: a mark belongs to the word after it", async () => {
    const [read] = await tokenizeInputs(modelOf("[,]+", "MergedWithNext"), [{ index: 0, input: text }], "input");
    expect([...(read?.ids ?? [])]).toEqual([1, ...Array(4_999).fill(4), 3]);
  });

  test("a word that it can't read as a whole is refused, naming the input", async () => {
    const inputs = [
      { index: 3, input: "ab" },
      { index: 4, input: "中".repeat(10_000) },
    ];
    await expect(tokenizeInputs(modelOf("[,]+", "Isolated"), inputs, "input")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining("input.4: expected words of at most 4032 characters"),
      details: { param: "input" },
    });
  });
});
