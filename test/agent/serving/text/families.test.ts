import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { finishSteps } from "#agent/serving/text/steps.ts";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { hashLength, hashOf, textOf } from "../../../../scripts/fuzz/multilingual-texts.ts";

const folder = join(import.meta.dir, "../../../fixtures/tokenizers/families");
/** Made by scripts/fixtures/reference-families.py with Hugging Face's own library. */
const { seed, ...hashes } = (await Bun.file(join(folder, "hashes.json")).json()) as {
  readonly seed: number;
} & Readonly<Record<string, string>>;

async function tokenizerOf(family: string, maxTokens = 1_000_000) {
  const packed = await Bun.file(join(folder, `${family}.json.gz`)).bytes();
  return createTextTokenizer(JSON.parse(new TextDecoder().decode(Bun.gunzipSync(packed))), { maxTokens });
}

describe("3,000 texts in 20 scripts become the reference's ids", () => {
  test.each(Object.keys(hashes))("%s", async (family) => {
    const tokenizer = await tokenizerOf(family);
    const expected = hashes[family] as string;
    expect(expected).toHaveLength(3_000 * hashLength);
    const wrong: number[] = [];
    for (let i = 0; i < 3_000; i += 1) {
      const { ids } = finishSteps(tokenizer.nameInSteps(textOf(seed, i), { addSpecialTokens: false }));
      if (hashOf(ids) !== expected.slice(i * hashLength, (i + 1) * hashLength)) wrong.push(i);
    }
    expect(wrong).toEqual([]);
  });
});

/** JSON may hold one half of a pair of UTF-16 units, as of a text that was cut within an emoji; no encoding of Unicode can. */
describe("half a character is U+FFFD", () => {
  const halves = [
    "\ud83d",
    "\udc00",
    "\ud83dx",
    "x\ud83d",
    "a \ud83d b",
    "\ud83d\ud83d",
    "\udc00\ud83d",
    "é\ud800\u0301",
  ];
  test.each(Object.keys(hashes))("%s", async (family) => {
    const tokenizer = await tokenizerOf(family);
    for (const text of halves) expect(tokenizer.tokenize(text)).toEqual(tokenizer.tokenize(text.toWellFormed()));
  });
});

/** Texts without a word's end, which the reference divides as a whole. */
const endless: Readonly<Record<string, string>> = {
  "98,000 Chinese characters": "中".repeat(98_000),
  "98,000 different ones": "水泵运行良好很干净明天上午十点停机检修".repeat(5_158),
  "98,000 letters": "a".repeat(98_000),
  base64: Buffer.from("the same picture again and again").toString("base64").repeat(2_200),
  "98,000 dashes": "-".repeat(98_000),
  "98,000 emoji": "🤖".repeat(49_000),
  "98,000 accents": `e${"\u0301".repeat(98_000)}`,
  "98,000 blanks": `x${" ".repeat(98_000)}x`,
  "98,000 lines": `x${"\n".repeat(98_000)}x`,
  "98,000 letters of Thai": "ปั๊มทำงานได้ดีและน้ำสะอาดมากกำลังจะปิดเครื่อง".repeat(2_100),
};

describe.each(Object.keys(hashes))("%s: a text without a word's end", async (family) => {
  const tokenizer = await tokenizerOf(family);
  test.each(Object.keys(endless))("%s is read in many steps", (kind) => {
    const naming = tokenizer.nameInSteps(endless[kind] as string, { addSpecialTokens: false });
    let steps = 1;
    while (naming.next().done !== true) steps += 1;
    expect(steps).toBeGreaterThanOrEqual(48);
  });
});

test("no more of a text is read than the model takes", async () => {
  const tokenizer = await tokenizerOf("xlm-roberta", 128);
  const reading = tokenizer.tokenizeInSteps("水泵运行良好".repeat(100_000));
  let steps = 1;
  let result = reading.next();
  for (; result.done !== true; result = reading.next()) steps += 1;
  expect({ few: steps < 8, tokens: result.value.ids.length, truncated: result.value.truncated }).toEqual({
    few: true,
    tokens: 128,
    truncated: true,
  });
});
