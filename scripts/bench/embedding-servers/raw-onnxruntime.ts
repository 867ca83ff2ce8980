/**
 * The physical limit for the other benchmarks: ONNX Runtime alone, with no server, no tokenising and no pooling around it, in one process.
 * For each mix of lengths the best fixed batch of 1 to 32 texts counts; mixed texts are tried as they come and sorted by length.
 * Usage: bun raw-onnxruntime.ts --model DIR --threads N --ms N [--mixes short,mixed] [--batches 1,8]. Prints JSON.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { createTextTokenizer } from "#agent/serving/text/text-tokenizer.ts";
import { createTextSource, type TextLength, textLengths } from "#tools/load/load-texts.ts";
import { readMachineCpuS } from "#tools/load/watch/process-tree.ts";
import type { RawMix } from "./figures.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(import.meta.dir, "..", "..", "..", "models", "all-MiniLM-L6-v2") },
    threads: { type: "string", default: "2" },
    ms: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    mixes: { type: "string", default: textLengths.join() },
    batches: { type: "string", default: "1,2,4,8,16,32" },
  },
});
const stretchMs = Number(values.ms);
const tokenizer = createTextTokenizer(await Bun.file(join(values.model, "tokenizer.json")).json(), { maxTokens: 256 });
const session = await InferenceSession.create(join(values.model, "model.onnx"), {
  executionProviders: ["cpu"],
  intraOpNumThreads: Number(values.threads),
});
type Feeds = Record<string, Tensor>;

function feedsOf(rows: readonly Uint32Array[]): Feeds {
  const longest = Math.max(...rows.map((row) => row.length));
  const ids = new BigInt64Array(rows.length * longest);
  const mask = new BigInt64Array(ids.length);
  for (const [index, row] of rows.entries()) {
    ids.set(BigInt64Array.from(row, BigInt), index * longest);
    mask.fill(1n, index * longest, index * longest + row.length);
  }
  const shape = [rows.length, longest];
  const feeds: Feeds = { input_ids: new Tensor("int64", ids, shape), attention_mask: new Tensor("int64", mask, shape) };
  if (session.inputNames.includes("token_type_ids")) {
    feeds["token_type_ids"] = new Tensor("int64", new BigInt64Array(ids.length), shape);
  }
  return feeds;
}

async function run(feeds: Feeds): Promise<void> {
  const outputs = await session.run(feeds);
  for (const output of Object.values(outputs)) output.dispose();
}

/** Enough texts that their lengths are mixed as asked in every batch size. */
const textsOfAMix = 320;

async function textsPerS(rows: readonly Uint32Array[], batch: number) {
  const batches: { feeds: Feeds; texts: number }[] = [];
  for (let first = 0; first < rows.length; first += batch) {
    const part = rows.slice(first, first + batch);
    batches.push({ feeds: feedsOf(part), texts: part.length });
  }
  // Spread over the list, so that a stretch that ends early has met long and short ones as the whole has.
  const order = batches.map((_, index) => batches[(index * 7) % batches.length] as (typeof batches)[number]);
  for (const { feeds } of order.slice(0, 2)) await run(feeds);
  const machineBefore = readMachineCpuS();
  const own = process.cpuUsage();
  const startedMs = performance.now();
  let texts = 0;
  let endMs = startedMs;
  // Whole rounds only where texts differ: half a round could be the short half.
  do {
    for (const { feeds, texts: count } of order) {
      await run(feeds);
      texts += count;
      endMs = performance.now();
      if (endMs - startedMs >= stretchMs && new Set(rows.map((row) => row.length)).size === 1) break;
    }
  } while (endMs - startedMs < stretchMs);
  const seconds = (endMs - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(own);
  const cpuS = (user + system) / 1e6;
  return {
    textsPerS: texts / seconds,
    seconds,
    cpuS,
    otherCpuS: (readMachineCpuS() ?? 0) - (machineBefore ?? 0) - cpuS,
  };
}

async function singleMs(rows: readonly Uint32Array[]): Promise<RawMix["singleMs"]> {
  const feeds = rows.slice(0, 50).map((row) => feedsOf([row]));
  const times: number[] = [];
  const startedMs = performance.now();
  while (performance.now() - startedMs < stretchMs) {
    const beganMs = performance.now();
    await run(feeds[times.length % feeds.length] as Feeds);
    times.push(performance.now() - beganMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * times.length)] as number;
  return { p50: at(0.5), p95: at(0.95) };
}

const mixes: Partial<Record<TextLength, RawMix>> = {};
for (const mix of values.mixes.split(",") as TextLength[]) {
  const next = createTextSource({ length: mix, seed: Number(values.seed) });
  const asTheyCome = Array.from({ length: textsOfAMix }, () => tokenizer.tokenize(next()).ids);
  const sorted = asTheyCome.toSorted((a, b) => a.length - b.length);
  const tried: RawMix["tried"][number][] = [];
  for (const batch of values.batches.split(",").map(Number)) {
    tried.push({ batch, sorted: false, ...(await textsPerS(asTheyCome, batch)) });
    if (mix === "mixed" && batch > 1) tried.push({ batch, sorted: true, ...(await textsPerS(sorted, batch)) });
  }
  const best = tried.reduce((a, b) => (b.textsPerS > a.textsPerS ? b : a));
  mixes[mix] = { best, singleMs: await singleMs(asTheyCome), tried };
}
console.log(JSON.stringify(mixes));
