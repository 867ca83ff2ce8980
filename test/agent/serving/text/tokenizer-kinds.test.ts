import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { idOf, typeOf } from "#agent/serving/worker/token-types.ts";

interface Case {
  readonly text: string;
  readonly second?: string;
  readonly most: number;
  readonly ids: readonly number[];
  readonly types?: readonly number[];
  readonly cut: boolean;
}

const fixtures = join(import.meta.dir, "../../../fixtures/tokenizers");

/** Made by scripts/fixtures/reference-tokenizers.py with Hugging Face's own library. */
describe.each(["unigram", "roberta", "closing-token"])("a tokenizer of the kind %s", async (name) => {
  const { tokenizer, cases } = (await Bun.file(join(fixtures, `${name}.json`)).json()) as {
    tokenizer: object;
    cases: Case[];
  };
  const pairs = cases.filter(({ second }) => second !== undefined);
  const singles = cases.filter(({ second }) => second === undefined);

  test("makes of texts what the reference makes of them, cut ones too", () => {
    expect(singles.length).toBeGreaterThan(60);
    for (const { text, most, ids, cut } of singles) {
      const result = createTextTokenizer(tokenizer, { maxTokens: most }).tokenize(text);
      expect({ text, most, ids: [...result.ids], cut: result.truncated }).toEqual({ text, most, ids: [...ids], cut });
    }
  });

  test("makes of pairs what the reference makes of them, with token types", () => {
    expect(pairs.length).toBe(28);
    for (const { text, second, most, ids, types, cut } of pairs) {
      const result = createTextTokenizer(tokenizer, { maxTokens: most }).tokenizePair(text, second ?? "");
      const tokens = [...result.ids];
      expect({ text, most, ids: tokens.map(idOf), types: tokens.map(typeOf), cut: result.truncated }).toEqual({
        text,
        most,
        ids: [...ids],
        types: [...(types ?? [])],
        cut,
      });
    }
  });
});
