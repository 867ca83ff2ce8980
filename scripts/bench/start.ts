/** See scripts/bench/start. */
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryDirectory } from "../../test/e2e/program.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";
import { hostBinary, startAgent } from "./start-agent.ts";

const { values } = parseArgs({
  options: {
    binary: { type: "string", default: hostBinary },
    rounds: { type: "string", default: "15" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds: expected 1 or more, got "${values.rounds}"`);
/** Issue's limit for an agent on x64 whose model is on the disk. */
const limitMs = 400;

const directory = temporaryDirectory();

/** A program that only listens, compiled as ours is. */
async function compileListener(): Promise<string> {
  const source = join(directory.path, "listener.ts");
  const outfile = join(directory.path, "listener");
  await Bun.write(
    source,
    'const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });\nconsole.log(server.url.href);\n',
  );
  await Bun.build({ entrypoints: [source], bytecode: true, format: "esm", compile: { outfile } });
  return outfile;
}

/** Time until a program prints its first line; it is ended then. */
async function untilFirstLine(...command: string[]): Promise<number> {
  const startedMs = performance.now();
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit", cwd: directory.path });
  const { done } = await child.stdout.getReader().read();
  const tookMs = performance.now() - startedMs;
  child.kill("SIGKILL");
  await child.exited;
  if (done) throw new Error(`${command.join(" ")} printed nothing`);
  return tookMs;
}

async function untilReady(binary: string): Promise<number> {
  const agent = await startAgent(binary, { directory: { path: directory.path, remove() {} } });
  await agent.stop();
  return agent.readyMs;
}

const listener = await compileListener();
const limit = "ONNX Runtime alone, to the first vector";
const binaries = values.binary.split(",");
const measured: Readonly<Record<string, () => Promise<number>>> = {
  "a compiled Bun program that listens": () => untilFirstLine(listener),
  [limit]: () => untilFirstLine(process.execPath, join(import.meta.dir, "first-vector.ts")),
  ...Object.fromEntries(
    binaries.flatMap((binary) => [
      [`thormesh version, ${binary}`, () => untilFirstLine(binary, "version")],
      [`thormesh agent, to ready, ${binary}`, () => untilReady(binary)],
    ]),
  ),
};
const times = Object.fromEntries(Object.keys(measured).map((name) => [name, [] as number[]]));
try {
  // The first round lays libraries down and prepares the model.
  for (let round = 0; round <= rounds; round += 1)
    for (const [name, measure] of Object.entries(measured)) {
      const tookMs = await measure();
      if (round > 0) times[name]?.push(tookMs);
    }
  const ofLimit = times[limit] as number[];
  printRows(
    Object.entries(times).map(([what, ms]) => ({
      what,
      medianMs: Math.round(median(ms)),
      leastMs: Math.round(Math.min(...ms)),
      byOnnxRuntime: (median(ms) / median(ofLimit)).toFixed(2),
      ...(what.includes("ready") ? { bar: median(ms) <= limitMs ? "held" : "MISSED" } : { bar: "" }),
    })),
    values.json,
  );
  const load = loadavg()[0]?.toFixed(1);
  console.error(`${cpus()[0]?.model}, ${cpus().length} cores, load ${load}, ${rounds} rounds; bar: ${limitMs} ms`);
} finally {
  directory.remove();
}
