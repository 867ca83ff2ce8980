import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { idOf, typeOf } from "#agent/serving/worker/token-types.ts";
import { bertTokenizer } from "../models/write-model-directory.ts";

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

interface LeftCase {
  /** Index of a text. */
  readonly text: number;
  readonly second?: number;
  readonly most: number;
  readonly ids: readonly number[];
  readonly types?: readonly number[];
}

/** Made by scripts/fixtures/reference-left-truncation.py. */
describe("texts and pairs that are cut at their beginning are the reference's", async () => {
  const { texts, cases } = (await Bun.file(join(fixtures, "left.json")).json()) as {
    texts: string[];
    cases: Record<string, LeftCase[]>;
  };
  const definitionOf = async (name: string): Promise<object> =>
    name === "bert"
      ? await bertTokenizer().json()
      : ((await Bun.file(join(fixtures, `${name}.json`)).json()) as { tokenizer: object }).tokenizer;

  test.each(Object.keys(cases))("%s", async (name) => {
    const definition = await definitionOf(name);
    for (const { text, second, most, ids, types } of cases[name] ?? []) {
      const tokenizer = createTextTokenizer(definition, { maxTokens: most });
      const result =
        second === undefined
          ? tokenizer.tokenize(texts[text] ?? "", "left")
          : tokenizer.tokenizePair(texts[text] ?? "", texts[second] ?? "", {}, "left");
      const tokens = [...result.ids];
      expect({ text, second, most, ids: tokens.map(idOf) }).toEqual({ text, second, most, ids: [...ids] });
      if (types !== undefined) expect(tokens.map(typeOf)).toEqual([...types]);
    }
  });

  test("as the model's own side, and for token ids", async () => {
    const left = createTextTokenizer(await definitionOf("bert"), { maxTokens: 6, truncationSide: "left" });
    const ids = [...left.tokenize("one two three four five six seven").ids];
    expect(ids).toEqual([101, 2176, 2274, 2416, 2698, 102]);
    const all = [101, 2028, 2048, 2093, 2176, 2274, 2416, 2698, 102];
    expect(left.acceptTokenIds(all)).toMatchObject({ ids: Uint32Array.from(ids), truncated: true });
    expect([...left.tokenize("one two three four five six seven", "right").ids]).toEqual([
      101, 2028, 2048, 2093, 2176, 102,
    ]);
  });
});
