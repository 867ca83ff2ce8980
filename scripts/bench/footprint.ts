/**
 * Measures, on this machine and with the compiled executable: size, start-up to ready, memory, and requests a second of one agent
 * beside ONNX Runtime alone on the same texts in the same run. Usage: scripts/bench/footprint [--binary FILE] [--json]
 */
import { statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { eventually, temporaryDirectory } from "../../test/e2e/program.ts";
import { readTreeUsage } from "../../tools/load/process-tree.ts";

const root = join(import.meta.dir, "..", "..");
const { values } = parseArgs({
  options: {
    binary: { type: "string", default: join(root, "dist", `thormesh-linux-${process.arch}`) },
    json: { type: "boolean", default: false },
  },
});
const startsMeasured = 9;
const clients = 8;
const loadMs = 10_000;
const threads = 2;
const text = "client 3 asks 141 why the conveyor in hall four stopped twice this morning";

function median(figures: number[]): number {
  return figures.sort((a, b) => a - b)[Math.floor(figures.length / 2)] as number;
}

/** Resident memory of a process and all its descendants. */
const residentMb = (pid: number) => (readTreeUsage(pid)?.rssBytes ?? 0) / 1e6;

async function startAgent(directory: string, extra: readonly string[] = []) {
  const startedMs = performance.now();
  const child = Bun.spawn([values.binary, "agent", "--listen", "127.0.0.1:0", "--state-dir", directory, ...extra], {
    cwd: directory,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let log = "";
  void (async () => {
    for await (const chunk of child.stderr) log += new TextDecoder().decode(chunk);
  })();
  let url: string | undefined;
  while (url === undefined) {
    const line = log.split("\n").find((candidate) => candidate.includes('"msg":"serving"'));
    if (line !== undefined) url = (JSON.parse(line) as { url: string }).url;
    else if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}:\n${log}`);
    else await Bun.sleep(1);
  }
  while ((await fetch(`${url}/readyz`)).status !== 200) await Bun.sleep(1);
  return { child, url, readyMs: performance.now() - startedMs };
}

async function measureStarts(): Promise<number> {
  const directory = temporaryDirectory();
  const readyMs: number[] = [];
  // The first one lays ONNX Runtime's library down; it does not count.
  for (let start = 0; start <= startsMeasured; start += 1) {
    const agent = await startAgent(directory.path);
    if (start > 0) readyMs.push(agent.readyMs);
    agent.child.kill("SIGTERM");
    await agent.child.exited;
  }
  directory.remove();
  return median(readyMs);
}

/**
 * Closed loop in a process of its own, so that the client's work is not taken for the server's.
 * @param hall a word of one token that makes this run's texts its own: an answer from a cache would be no measurement of inference.
 */
async function load(url: string, hall: string): Promise<{ requestsPerS: number; p50Ms: number; p95Ms: number }> {
  const client = `
    const latencies = [];
    // Other texts at each call, so that the agent computes them instead of remembering them.
    const first = Math.floor(Math.random() * 1e6) * 1000;
    const endMs = performance.now() + ${loadMs};
    const send = async (id) => {
      for (let n = 0; performance.now() < endMs; n += 1) {
        const startedMs = performance.now();
        const response = await fetch(${JSON.stringify(url)} + "/v1/embeddings", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model: "all-MiniLM-L6-v2", encoding_format: "base64",
            input: ${JSON.stringify(text)}.replace("four", ${JSON.stringify(hall)}).replace("3", id).replace("141", first + n) }),
        });
        await response.json();
        if (response.status !== 200) throw new Error("status " + response.status);
        latencies.push(performance.now() - startedMs);
      }
    };
    await Promise.all(Array.from({ length: ${clients} }, (_, id) => send(id)));
    latencies.sort((a, b) => a - b);
    const at = (share) => latencies[Math.floor(latencies.length * share)];
    console.log(JSON.stringify({ requestsPerS: latencies.length / ${loadMs / 1000}, p50Ms: at(0.5), p95Ms: at(0.95) }));
  `;
  const child = Bun.spawn([process.execPath, "-e", client], { stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text());
}

async function rawTextsPerS(): Promise<number> {
  const script = join(import.meta.dir, "raw-inference.ts");
  const options = ["--text", text, "--batch", String(clients), "--threads", String(threads), "--ms", String(loadMs)];
  const child = Bun.spawn([process.execPath, script, ...options], { stdout: "pipe", stderr: "inherit" });
  return Number(await new Response(child.stdout).text());
}

const directory = temporaryDirectory();
const controllerDirectory = temporaryDirectory();
const controller = Bun.spawn(
  [
    values.binary,
    "controller",
    "--listen",
    "127.0.0.1:0",
    "--broker-port",
    "0",
    "--state-dir",
    controllerDirectory.path,
  ],
  { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
);
try {
  const readyMs = await measureStarts();
  const agent = await startAgent(directory.path);
  await load(agent.url, "two");
  const measured = await load(agent.url, "four");
  const agentMb = residentMb(agent.child.pid);
  const controllerMb = await eventually(
    async () => residentMb(controller.pid),
    (megabytes) => megabytes > 50,
  );
  agent.child.kill("SIGTERM");
  await agent.child.exited;
  const raw = await rawTextsPerS();
  const report = {
    machine: `${cpus()[0]?.model}, ${cpus().length} cores`,
    binaryMb: Math.round(statSync(values.binary).size / 1e6),
    readyMs: Math.round(readyMs),
    agentMb: Math.round(agentMb),
    controllerMb: Math.round(controllerMb),
    clients,
    requestsPerS: Math.round(measured.requestsPerS),
    rawTextsPerS: Math.round(raw),
    shareOfRaw: Number((measured.requestsPerS / raw).toFixed(2)),
    p50Ms: Number(measured.p50Ms.toFixed(1)),
    p95Ms: Number(measured.p95Ms.toFixed(1)),
  };
  if (values.json) console.log(JSON.stringify(report));
  else for (const [name, figure] of Object.entries(report)) console.log(`${name.padEnd(14)} ${figure}`);
} finally {
  controller.kill("SIGTERM");
  await controller.exited;
  directory.remove();
  controllerDirectory.remove();
}
