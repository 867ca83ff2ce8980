/** Runs the benchmark that scripts/bench/serving prepares and describes. */
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type TextLength, textLengths } from "#tools/load/load-texts.ts";
import { temporaryDirectory } from "../../../test/e2e/program.ts";
import { isNoisy, joinStretches, type RawMix, ratiosOf } from "./figures.ts";
import { type BenchmarkReport, formatBenchmark, type MeasuredLevel, type MeasuredMix } from "./format-benchmark.ts";
import { generateLoad } from "./generate-load.ts";
import { prepareModel } from "./prepare-model.ts";
import { cacheDirectory, modelName, type RunningServer, serverNames, startServer } from "./servers.ts";

const root = join(import.meta.dir, "..", "..", "..");
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    mixes: { type: "string", default: textLengths.join() },
    servers: { type: "string", default: serverNames.join() },
    clients: { type: "string" },
    seconds: { type: "string" },
    binary: { type: "string", default: join(root, "dist", `thormesh-linux-${process.arch}`) },
  },
});

function chosen<T extends string>(option: string, known: readonly T[], text: string): T[] {
  const picked = text.split(",") as T[];
  const unknown = picked.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--${option}: expected some of ${known.join()}, got "${unknown}"`);
  return picked;
}
const mixes = chosen("mixes", textLengths, values.mixes);
const wanted = chosen("servers", serverNames, values.servers);
const clients = (values.clients ?? (values.quick ? "1,32,128" : "1,8,32,128")).split(",").map(Number);
const seconds = Number(values.seconds ?? (values.quick ? 1.2 : 6));
const cores = cpus().length;
/** The weights that thormesh uses unless told otherwise. */
const threads = Math.min(2, cores);
const say = (text: string) => process.stderr.write(`${text}\n`);

async function measureRaw(mix: TextLength, batches: string, stretchMs: number): Promise<RawMix> {
  const script = join(import.meta.dir, "raw-onnxruntime.ts");
  const options = ["--threads", String(threads), "--ms", String(stretchMs), "--mixes", mix, "--batches", batches];
  const child = Bun.spawn([process.execPath, script, ...options], { stdout: "pipe", stderr: "inherit" });
  return (JSON.parse(await new Response(child.stdout).text()) as Record<string, RawMix>)[mix] as RawMix;
}

/** The raw loop's best batch and single texts once more, for as long as a stretch against a server needs a neighbour. */
async function referenceStretch(mix: TextLength, scanned: RawMix): Promise<RawMix> {
  const again = await measureRaw(mix, String(scanned.best.batch), values.quick ? 400 : 1_500);
  return { ...again, best: again.tried.find((one) => one.sorted === scanned.best.sorted) ?? again.best };
}

/**
 * Every stretch lies between two of the raw loop and is compared with them: a virtual machine's speed drifts by a quarter within a minute.
 */
async function measureServer(server: RunningServer, texts: TextLength, scanned: RawMix): Promise<MeasuredMix> {
  // Every shape once before it counts.
  await generateLoad(server, { texts, clients: 32, seconds: Math.min(1, seconds) });
  const levels: MeasuredLevel[] = [];
  let before = await referenceStretch(texts, scanned);
  let singleOverRaw: number | null = null;
  for (const level of clients) {
    const stretch = await generateLoad(server, { texts, clients: level, seconds });
    const after = await referenceStretch(texts, scanned);
    const raw = joinStretches(before.best, after.best);
    if (level === 1 && stretch.p50Ms !== null) {
      singleOverRaw = (2 * stretch.p50Ms) / (before.singleMs.p50 + after.singleMs.p50);
    }
    before = after;
    levels.push({
      ...stretch,
      clients: level,
      ratios: ratiosOf(stretch, raw, cores),
      raw,
      noisy: isNoisy(stretch, cores),
    });
    say(`${server.name}, ${texts}, ${level} clients: ${stretch.textsPerS.toFixed(1)} texts/s`);
  }
  const saturation = levels.reduce((a, b) => (b.textsPerS > a.textsPerS ? b : a));
  const half = await generateLoad(server, { texts, rate: saturation.textsPerS / 2, seconds: 1.5 * seconds });
  return {
    levels,
    saturation,
    half: { ...half, p95OverP50: half.p50Ms === null || half.p95Ms === null ? null : half.p95Ms / half.p50Ms },
    singleOverRaw,
  };
}

const scratch = temporaryDirectory();
const running: RunningServer[] = [];
let interrupted = false;
process.once("SIGINT", () => {
  interrupted = true;
  say("ending after this stretch");
});
try {
  const source = join(root, "models", modelName);
  const modelsDirectory = await prepareModel(source, join(cacheDirectory, "models"), modelName);
  const places = { binary: values.binary, modelsDirectory, scratchDirectory: scratch.path };
  for (const name of wanted) {
    const server = await startServer(name, places).catch((error: Error) => {
      if (name === "thormesh") throw error;
      say(error.message);
      return undefined;
    });
    if (server === undefined) say(`${name} is left out`);
    else running.push(server);
  }
  const raw: Record<string, RawMix> = {};
  const servers: Record<string, Record<string, MeasuredMix>> = {};
  for (const mix of mixes) {
    const scanned = await measureRaw(mix, "1,2,4,8,16,32", values.quick ? 500 : 2_000);
    raw[mix] = scanned;
    say(`ONNX Runtime alone, ${mix}: ${scanned.best.textsPerS.toFixed(1)} texts/s in batches of ${scanned.best.batch}`);
    for (const server of running) {
      if (interrupted) break;
      servers[server.name] = { ...servers[server.name], [mix]: await measureServer(server, mix, scanned) };
    }
    if (interrupted) break;
  }
  const thormesh = running.find(({ name }) => name === "thormesh");
  const cached =
    thormesh && !interrupted
      ? await generateLoad(thormesh, { texts: "short", clients: 16, seconds, repeatShare: 1 })
      : undefined;
  const shareOf = (name: string, mix: string) => servers[name]?.[mix]?.saturation.ratios.ofRate;
  const stretches = Object.values(servers).flatMap((one) => Object.values(one).flatMap(({ levels }) => levels));
  const report: BenchmarkReport = {
    machine: `${cores} x ${cpus()[0]?.model.trim()}`,
    cores,
    threads,
    model: modelName,
    secondsPerLevel: seconds,
    raw,
    servers,
    overBestOther: Object.fromEntries(
      Object.keys(raw).map((mix) => {
        const own = shareOf("thormesh", mix);
        const others = serverNames.filter((name) => name !== "thormesh").flatMap((name) => shareOf(name, mix) ?? []);
        return [mix, own === undefined || others.length === 0 ? null : own / Math.max(...others)];
      }),
    ),
    cachedPerServerCpuS: cached === undefined ? null : (cached.textsPerS * cached.seconds) / cached.serverCpuS,
    noisyStretches: stretches.filter(({ noisy }) => noisy).length,
  };
  console.log(values.json ? JSON.stringify(report) : formatBenchmark(report));
} finally {
  for (const server of running) await server.stop();
  scratch.remove();
}
