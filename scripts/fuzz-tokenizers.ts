/** Compares tokens with the reference's. Usage: scripts/fuzz-tokenizers [--seconds N] [--seed N] */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { finishSteps } from "#agent/serving/text/steps.ts";
import { createTextTokenizer, type TextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { hashLength, hashOf, textOf } from "./fuzz/multilingual-texts.ts";

const root = join(import.meta.dir, "..");
const dayMs = 86_400_000;
const { values } = parseArgs({
  options: {
    python: { type: "string" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Math.floor(Date.now() / dayMs) * 1_000) },
  },
});
const first = Number(values.seed);
const seconds = Number(values.seconds);
if (!Number.isInteger(first) || first < 0) throw new Error(`--seed: expected a whole number, got "${values.seed}"`);
if (!(seconds > 0)) throw new Error(`--seconds: expected a number above 0, got "${values.seconds}"`);

const tokenizers = new Map<string, TextTokenizer>();
async function tokenizerOf(family: string): Promise<TextTokenizer> {
  const known = tokenizers.get(family);
  if (known !== undefined) return known;
  const packed = await Bun.file(join(root, `test/fixtures/tokenizers/families/${family}.json.gz`)).bytes();
  const definition = JSON.parse(new TextDecoder().decode(Bun.gunzipSync(packed)));
  const tokenizer = createTextTokenizer(definition, { maxTokens: 1_000_000 });
  tokenizers.set(family, tokenizer);
  return tokenizer;
}

let compared = 0;
let wrong = 0;
async function compare(line: string): Promise<void> {
  const { family, seed, hashes } = JSON.parse(line) as { family: string; seed: number; hashes: string };
  const tokenizer = await tokenizerOf(family);
  for (let i = 0; i * hashLength < hashes.length; i += 1) {
    const text = textOf(seed, i);
    const { ids } = finishSteps(tokenizer.nameInSteps(text, { addSpecialTokens: false }));
    compared += 1;
    if (hashOf(ids) === hashes.slice(i * hashLength, (i + 1) * hashLength)) continue;
    wrong += 1;
    console.log(`${family}, seed ${seed}, text ${i}: other tokens for ${JSON.stringify(text.slice(0, 500))}`);
  }
}

const reference = Bun.spawn(
  [
    values.python ?? "python3",
    join(root, "scripts/fixtures/reference-families.py"),
    "--seeds",
    String(first),
    "1000000",
  ],
  { stdout: "pipe", stderr: "inherit" },
);
const endMs = performance.now() + seconds * 1000;
const decoder = new TextDecoder();
let rest = "";
for await (const bytes of reference.stdout) {
  const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) await compare(line);
  if (performance.now() > endMs) break;
}
reference.kill();
console.log(`${compared} texts of ${tokenizers.size} tokenizers compared from seed ${first} on, ${wrong} differ`);
if (compared === 0) console.log("the reference wrote nothing");
process.exit(wrong === 0 && compared > 0 ? 0 : 1);
