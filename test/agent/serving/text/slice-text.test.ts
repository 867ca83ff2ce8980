import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { finishSteps } from "#agent/serving/text/encode-in-slices.ts";
import { maxSliceCharacters, sliceEnd } from "#agent/serving/text/slice-text.ts";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

const most = 64;

function slicesOf(text: string): string[] {
  const slices: string[] = [];
  for (let from = 0; from < text.length; ) {
    const { end } = sliceEnd(text, from, most);
    slices.push(text.slice(from, end));
    from = end;
  }
  return slices;
}

const seventy = "x".repeat(70);
test.each([
  { name: "nothing", text: "", slices: 0 },
  { name: "a short text", text: "word ".repeat(12), slices: 1 },
  { name: "words", text: "word ".repeat(100), slices: 8 },
  { name: "long words", text: `${seventy} `.repeat(3), slices: 3 },
  { name: "a word without end", text: "x".repeat(3 * maxSliceCharacters), slices: 3 },
  { name: "lines", text: `${seventy}\n`.repeat(4), slices: 4 },
])("$name", ({ text, slices }) => {
  const found = slicesOf(text);
  expect(found.join("")).toBe(text);
  expect(found.length).toBeGreaterThanOrEqual(slices);
  expect(found.length).toBeLessThanOrEqual(slices + 1);
  for (const slice of found) expect(slice.length).toBeLessThanOrEqual(maxSliceCharacters);
});

test("no slice of words begins inside one, and no character is cut in two", () => {
  for (const slice of slicesOf("one two, three. ".repeat(50)).slice(1)) expect(slice[0]).toBe(" ");
  for (const offset of [0, 1]) {
    for (const slice of slicesOf("a".repeat(offset) + "🤖".repeat(5_000))) expect(slice.isWellFormed()).toBe(true);
  }
});

/** Texts that tokenizers are slowest with, as long as a request may have them. */
const hostile: Readonly<Record<string, (length: number) => string>> = {
  letters: (n) => "a".repeat(n),
  blanks: (n) => `x${" ".repeat(n - 2)}x`,
  "words as long as may be": (n) => `antidisestablishmentarianism${"z".repeat(60)} `.repeat(n / 89),
  "such words and tabs": (n) => `.${"z".repeat(98)}.\t`.repeat(n / 101),
  "Chinese characters": (n) => "机".repeat(n),
  emoji: (n) => "🤖".repeat(n / 2),
  accents: (n) => `e${"\u0301".repeat(n - 1)}`,
  "characters that become eighteen": (n) => "\ufdfa".repeat(n),
  "characters that are nothing": (n) => "\u200b".repeat(n),
  lines: (n) => "\n".repeat(n),
};

describe.each(["all-MiniLM-L6-v2", "unigram", "roberta", "closing-token"])("%s", async (name) => {
  const root = join(import.meta.dir, "../../../..");
  const path = name.startsWith("all-") ? `models/${name}/tokenizer.json` : `test/fixtures/tokenizers/${name}.json`;
  const file = await Bun.file(join(root, path)).json();
  const tokenizer = createTextTokenizer(file.tokenizer ?? file, { maxTokens: 8_192 });

  const steps = (text: string) => {
    let count = 1;
    const naming = tokenizer.nameInSteps(text, { addSpecialTokens: false });
    while (naming.next().done !== true) count += 1;
    return count;
  };

  test.each(Object.keys(hostile))("%s: no step is of more than a slice", (kind) => {
    expect(steps(hostile[kind]!(20_000))).toBeGreaterThanOrEqual(9);
    // As much as a request may have; more is not looked at.
    expect(finishSteps(tokenizer.tokenizeInSteps(hostile[kind]!(4_000_000))).ids.length).toBeLessThanOrEqual(8_192);
  });

  test("slices of a text become what the whole does", () => {
    const words =
      "The robot's arm (v2.0) can't reach: it stops, 10% — naïve café… OK?\n  Then 机器人 goes on 1234567 times.";
    const text = `${words}  `.repeat(40) + words.replaceAll(" ", "\t").repeat(3);
    expect(steps(text)).toBeGreaterThan(3);
    const { ids } = finishSteps(tokenizer.nameInSteps(text, { addSpecialTokens: false }));
    const whole = new Tokenizer(file.tokenizer ?? file, {}).encode(text, { add_special_tokens: false });
    expect([...ids]).toEqual(whole.ids);
  });
});
