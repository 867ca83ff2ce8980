import { describe, expect, test } from "bun:test";
import { findModel } from "#agent/serving/models/find-model.ts";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { readReferenceTexts } from "../reference-texts.ts";

const found = await findModel("all-MiniLM-L6-v2", null);
const definition = await Bun.file(found.tokenizerPath).json();
const tokenizer = createTextTokenizer(definition, { maxTokens: found.manifest.maxTokens });

test("the 40 reference texts become the reference's tokens", async () => {
  for (const { text, tokenIds } of await readReferenceTexts()) {
    expect({ text, ids: [...tokenizer.tokenize(text).ids] }).toEqual({ text, ids: [...tokenIds] });
  }
});

describe("long texts", () => {
  test.each([
    { name: "254 words fit", text: "word ".repeat(254), tokens: 256, truncated: false },
    { name: "255 words do not", text: "word ".repeat(255), tokens: 256, truncated: true },
    { name: "a megabyte of words", text: "word ".repeat(200_000), tokens: 256, truncated: true },
    { name: "a megabyte of one letter is one unknown word", text: "x".repeat(1_000_000), tokens: 3, truncated: false },
    {
      name: "base64 and words",
      text: `${"QUFB".repeat(15_000)} a caption of the picture`,
      tokens: 9,
      truncated: false,
    },
    { name: "blanks before words", text: `start${" ".repeat(49_200)}end of text`, tokens: 6, truncated: false },
    { name: "300 words of 90 letters", text: `${"q".repeat(90)} `.repeat(300), tokens: 256, truncated: true },
    { name: "spaces before a word", text: `${" ".repeat(1_000_000)}word`, tokens: 3, truncated: false },
    { name: "spaces within", text: `word${" ".repeat(20_000)}word`, tokens: 4, truncated: false },
    { name: "nothing", text: "", tokens: 2, truncated: false },
  ])("$name", ({ text, tokens, truncated }) => {
    const result = tokenizer.tokenize(text);
    expect({ tokens: result.ids.length, truncated: result.truncated }).toEqual({ tokens, truncated });
    expect([result.ids[0], result.ids.at(-1)]).toEqual([101, 102]);
  });

  test("cutting before tokenising changes nothing in what is kept", () => {
    const text = "internationalization 机器 🤖 of conveyor-belts, 1234567890; ".repeat(400);
    const plain = createTextTokenizer(definition, { maxTokens: 100_000 }).tokenize(text);
    const ids = [...plain.ids.slice(0, 255), 102];
    expect([...tokenizer.tokenize(text).ids]).toEqual(ids);
  });

  test("60,000 characters of two code units are one unknown word, as for the reference", () => {
    for (const offset of [0, 1]) {
      const text = "a".repeat(offset) + "🤖".repeat(60_000);
      expect([...tokenizer.tokenize(text).ids]).toEqual([101, 100, 102]);
    }
  });

  test.each(["\u0085", "\u001c", "\u3000", "\u00a0"])("white space of Python is removed at the ends: %j", (space) => {
    expect([...tokenizer.tokenize(`${space}hello${space}`).ids]).toEqual([101, 7592, 102]);
  });

  test.each([
    { text: "ΟΔΟΣ", ids: [1169, 29722, 29730, 29733] },
    { text: "𠮟られる", ids: [100, 1685, 30214, 30213] },
    { text: "a𠮷b", ids: [1037, 100, 1038] },
  ])("a character is lowered and split as the reference does it: $text", ({ text, ids }) => {
    expect([...tokenizer.tokenize(text).ids]).toEqual([101, ...ids, 102]);
  });
});

describe("token ids from a client", () => {
  test("between the model's special tokens they are read as the text's", () => {
    const ids = [...tokenizer.tokenize("one robot").ids];
    expect(tokenizer.acceptTokenIds(ids)).toMatchObject({ kind: "accepted", ids: Uint32Array.from(ids) });
  });

  test("without special tokens they are refused, or the setting has them added", () => {
    const bare = [...tokenizer.tokenize("one robot").ids].slice(1, -1);
    const lenient = createTextTokenizer(definition, { maxTokens: 256, tokenIds: "own" });
    expect(tokenizer.acceptTokenIds(bare)).toEqual({ kind: "refused", rule: "unmarked" });
    expect(lenient.acceptTokenIds(bare)).toMatchObject({ ids: tokenizer.tokenize("one robot").ids });
  });

  test("more than the model reads are cut, the end kept", () => {
    const result = tokenizer.acceptTokenIds([101, ...new Array(300).fill(2000), 102]);
    if (result.kind !== "accepted") throw new Error(`refused: ${result.rule}`);
    expect([result.ids.length, result.ids.at(-1), result.truncated]).toEqual([256, 102, true]);
  });
});
