import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { refuseSlowPatterns } from "#agent/serving/text/check-patterns.ts";
import { patternsOf } from "#agent/serving/text/tokenizer-patterns.ts";

const split = (pattern: string) => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});
const asPreTokenizer = (pattern: string) => ({
  pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, split(pattern)] },
});
const asNormalizer = (pattern: string) => ({
  normalizer: {
    type: "Sequence",
    normalizers: [{ type: "NFC" }, { type: "Replace", pattern: { Regex: pattern }, content: " " }],
  },
});

describe("a regular expression that may take for ever is refused, with its place", () => {
  test.each([
    "(a+)+$",
    "([a-zA-Z]+)*\\d$",
    "(a|aa)+$",
    "(.*a){12}b",
    "^(\\w+\\s?)*$",
    "(foo|foofoo)+!",
    "key=(v+)+;",
    "a*a*a*a*a*b",
  ])("%s", async (pattern) => {
    const place = "pre_tokenizer.pretokenizers.1.pattern.Regex";
    await expect(refuseSlowPatterns(asPreTokenizer(pattern))).rejects.toThrow(
      `${place}: ${JSON.stringify(pattern)} takes too long`,
    );
  });

  test("in a normalizer too", async () => {
    await expect(refuseSlowPatterns(asNormalizer("(x+x+)+y"))).rejects.toThrow(
      "normalizer.normalizers.1.pattern.Regex",
    );
  });

  test("and so is one that is none", async () => {
    await expect(refuseSlowPatterns(asPreTokenizer("["))).rejects.toThrow("is not a valid regular expression");
  });
});

test.each([
  "\\p{L}+|\\p{N}|[^\\p{L}\\p{N}\\s]+|\\s+",
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  " ?[^(\\s|[.,!?…。，、।۔،])]+",
])("one of a model's is taken: %s", async (pattern) => {
  await refuseSlowPatterns(asPreTokenizer(pattern));
});

test("tokenizers of the usual kinds need no trying", async () => {
  const root = join(import.meta.dir, "../../../..");
  for (const path of [
    "models/all-MiniLM-L6-v2/tokenizer.json",
    ...["unigram", "roberta", "closing-token"].map((name) => `test/fixtures/tokenizers/${name}.json`),
  ]) {
    const file = await Bun.file(join(root, path)).json();
    await refuseSlowPatterns(file.tokenizer ?? file);
  }
});

describe("what a tokenizer may not be", () => {
  const nested = (depth: number): object =>
    depth === 0 ? split(" ") : { type: "Sequence", pretokenizers: [nested(depth - 1)] };
  const growing = { type: "Replace", pattern: { String: "a" }, content: "a".repeat(10) };
  test.each([
    { name: "parts without end", definition: { pre_tokenizer: nested(40) }, message: "deep" },
    {
      name: "very many parts",
      definition: { pre_tokenizer: { type: "Sequence", pretokenizers: Array(100).fill(split(" ")) } },
      message: "at most 64 parts",
    },
    { name: "a very long expression", definition: asPreTokenizer("a".repeat(5_000)), message: "4000 characters" },
    {
      name: "a text that grows and grows",
      definition: { normalizer: { type: "Sequence", normalizers: [growing, growing, growing] } },
      message: "64 times as long",
    },
  ])("$name", ({ definition, message }) => {
    expect(() => patternsOf(definition)).toThrow(message);
  });
});
