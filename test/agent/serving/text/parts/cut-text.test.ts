import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { partEnd } from "#agent/serving/text/parts/cut-text.ts";
import { finishSteps } from "#agent/serving/text/steps.ts";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (let from = 0; from < text.length; ) {
    const end = partEnd(text, from);
    parts.push(text.slice(from, end));
    from = end;
  }
  return parts;
}

test.each([
  { name: "nothing", text: "", parts: 0 },
  { name: "a short text", text: "word ".repeat(400), parts: 1 },
  { name: "words", text: "word ".repeat(1_000), parts: 4 },
  { name: "a word without end", text: "x".repeat(10_240), parts: 9 },
  { name: "marks", text: "\u0301".repeat(10_240), parts: 5 },
  { name: "Korean in parts", text: "\u1112\u1161\u11ab".repeat(3_000), parts: 8 },
  { name: "lines", text: "\r\n".repeat(5_000), parts: 9 },
])("$name", ({ text, parts }) => {
  const found = partsOf(text);
  expect(found.join("")).toBe(text);
  expect(found).toHaveLength(parts);
});

test("no part begins within a character, a syllable or a line break", () => {
  for (const unit of ["🤖", "e\u0301", "\u1112\u1161\u11ab", "\r\n", "👩\u200d👧", "🇩🇪"]) {
    for (const offset of [0, 1, 2]) {
      const found = partsOf("a".repeat(offset) + unit.repeat(5_000));
      expect(found.length).toBeGreaterThan(3);
      for (const part of found) expect(part.isWellFormed()).toBe(true);
      if (unit !== "🇩🇪") for (const part of found.slice(1)) expect(part.startsWith(unit)).toBe(true);
    }
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
  const root = join(import.meta.dir, "../../../../..");
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
