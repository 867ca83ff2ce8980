import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createNormalizer, normalizeAll } from "#agent/serving/text/parts/normalizers.ts";
import { Part } from "#agent/serving/text/parts/part.ts";
import { createPreTokenizer, splitAll } from "#agent/serving/text/parts/pre-tokenizers.ts";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";

interface Fixture {
  readonly blocks: readonly number[];
  readonly parts: readonly {
    readonly stage: "normalizer" | "pre_tokenizer";
    readonly definition: object;
    readonly sweeps: readonly { readonly template: string; readonly hashes: string }[];
  }[];
  readonly kinds: readonly {
    readonly kind: string;
    readonly tokenizer: object;
    readonly cases: readonly { readonly text: string; readonly ids: readonly number[] }[];
  }[];
}

/** Made by scripts/fixtures/reference-parts.py with Hugging Face's own library. */
const path = join(import.meta.dir, "../../../../fixtures/tokenizers/parts.json");
const { blocks, parts, kinds } = (await Bun.file(path).json()) as Fixture;
const blockSize = 0x1000;
const hashLength = 6;

function applying(stage: Fixture["parts"][number]["stage"], definition: object): (text: string) => string {
  if (stage === "normalizer") {
    const normalizer = createNormalizer(new Part(definition, stage));
    return (text) => normalizeAll(normalizer, text);
  }
  const preTokenizer = createPreTokenizer(new Part(definition, stage));
  return (text) => splitAll(preTokenizer, text).join("\u0001");
}

function hashOf(block: number, apply: (text: string) => string, template: string): string {
  const results: string[] = [];
  for (let code = block * blockSize; code < (block + 1) * blockSize; code += 1) {
    if (code === 0 || (code >= 0xd800 && code <= 0xdfff)) continue;
    results.push(apply(template.replace("{}", () => String.fromCodePoint(code))));
  }
  return new Bun.CryptoHasher("md5").update(results.join("\n")).digest("hex").slice(0, hashLength);
}

describe("every code point", () => {
  test.each(parts.map((part) => ({ ...part, name: JSON.stringify(part.definition).slice(0, 120) })))(
    "$name",
    ({ stage, definition, sweeps }) => {
      const apply = applying(stage, definition);
      for (const { template, hashes } of sweeps) {
        const wrong = blocks.filter(
          (block, i) => hashOf(block, apply, template) !== hashes.slice(i * hashLength, (i + 1) * hashLength),
        );
        expect({ template, wrong: wrong.map((block) => block.toString(16)) }).toEqual({ template, wrong: [] });
      }
    },
  );
});

describe("texts in many scripts", () => {
  test.each([...kinds])("$kind", ({ tokenizer, cases }) => {
    const ours = createTextTokenizer(tokenizer, { maxTokens: 100_000 });
    for (const { text, ids } of cases)
      expect({ text, ids: [...ours.tokenize(text).ids] }).toEqual({ text, ids: [...ids] });
  });
});
