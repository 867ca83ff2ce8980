import { expect, test } from "bun:test";
import { join } from "node:path";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { createTextSource, textLengths, tokensOf } from "#tools/load/load-texts.ts";

const model = join(import.meta.dir, "../../../models/all-MiniLM-L6-v2");
const { tokenize } = createTextTokenizer(await Bun.file(join(model, "tokenizer.json")).json(), { maxTokens: 512 });

test.each([...textLengths])("%s texts are as long as they say, and no two alike", (length) => {
  const next = createTextSource({ length, seed: 1 });
  const texts = Array.from({ length: 1_000 }, next);
  expect(new Set(texts).size).toBe(1_000);
  const cycle = tokensOf[length];
  for (const [index, text] of texts.slice(0, 100).entries()) {
    expect(tokenize(text).ids.length).toBe(cycle[index % cycle.length] as number);
  }
});
test("the seed makes the texts", () => {
  const first = (seed: number) => createTextSource({ length: "short", seed })();
  expect(first(5)).toBe(first(5));
  expect(new Set([0, 1, 2, 2 ** 31 - 1].map(first)).size).toBe(4);
});
test.each([
  [0, 10_000, 10_000],
  [0.5, 4_500, 5_500],
  [0.9, 800, 1_250],
  // The first one has to be new.
  [1, 1, 1],
])("of a share of %p repeated texts at least %p of 10,000 are new", (repeatShare, least, most) => {
  const next = createTextSource({ length: "short", seed: 1, repeatShare });
  const different = new Set(Array.from({ length: 10_000 }, next)).size;
  expect(different).toBeGreaterThanOrEqual(least);
  expect(different).toBeLessThanOrEqual(most);
});
