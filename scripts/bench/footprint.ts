/** See scripts/bench/footprint. */
import { statSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readTreePss } from "#tools/load/watch/process-tree.ts";
import { eventually, startProgram, temporaryDirectory } from "../../test/e2e/program.ts";
import { clients, startAskedAgent } from "./asked-agent.ts";
import { median } from "./median.ts";
import { hostBinary, startAgent } from "./start-agent.ts";

const { values } = parseArgs({
  options: { binary: { type: "string", default: hostBinary }, json: { type: "boolean", default: false } },
});
const startsMeasured = 9;
const loadMs = 10_000;
const threads = 2;
const text = "client 3 asks 141 why the conveyor in hall four stopped twice this morning";

/** Time after which an agent that nobody has asked is measured. */
const idleMs = 20_000;

/** Memory of a process and all its descendants; what they share counts once. */
const memoryMb = (pid: number) => readTreePss(pid).reduce((sum, { pssBytes }) => sum + pssBytes, 0) / 1e6;

/** The same by process: `agent 75, model-worker 130`. */
const memoryByProcess = (pid: number) =>
  readTreePss(pid)
    .map(({ command, pssBytes }) => `${command} ${Math.round(pssBytes / 1e6)}`)
    .join(", ");

async function measureStarts(): Promise<number> {
  const directory = temporaryDirectory();
  const readyMs: number[] = [];
  // The first one lays ONNX Runtime's library down; it does not count.
  for (let start = 0; start <= startsMeasured; start += 1) {
    const agent = await startAgent(values.binary, { directory: { path: directory.path, remove() {} } });
    if (start > 0) readyMs.push(agent.readyMs);
    await agent.stop();
  }
  directory.remove();
  return median(readyMs);
}

async function rawTextsPerS(): Promise<number> {
  const script = join(import.meta.dir, "raw-inference.ts");
  const options = ["--text", text, "--batch", String(clients), "--threads", String(threads), "--ms", String(loadMs)];
  const child = Bun.spawn([process.execPath, script, ...options], { stdout: "pipe", stderr: "inherit" });
  return Number(await new Response(child.stdout).text());
}

const directory = temporaryDirectory();
const controller = startProgram(
  ["controller", "--listen", "127.0.0.1:0", "--broker-port", "0", "--state-dir", directory.path],
  directory.path,
  {},
  [resolve(values.binary)],
);
try {
  const readyMs = await measureStarts();
  const agent = await startAskedAgent(values.binary);
  await Bun.sleep(idleMs);
  const idleMb = memoryMb(agent.pid);
  const idleProcesses = memoryByProcess(agent.pid);
  await agent.measure("http base64", "new", loadMs);
  const measured = await agent.measure("http base64", "new", loadMs);
  const inUseMb = memoryMb(agent.pid);
  const inUseProcesses = memoryByProcess(agent.pid);
  const controllerMb = await eventually(
    async () => memoryMb(controller.child.pid),
    (megabytes) => megabytes > 50,
  );
  await agent.stop();
  const raw = await rawTextsPerS();
  const report = {
    machine: `${cpus()[0]?.model}, ${cpus().length} cores`,
    binaryMb: Math.round(statSync(values.binary).size / 1e6),
    readyMs: Math.round(readyMs),
    idleMb: Math.round(idleMb),
    idleProcesses,
    inUseMb: Math.round(inUseMb),
    inUseProcesses,
    controllerMb: Math.round(controllerMb),
    clients,
    requestsPerS: measured.callsPerS,
    rawTextsPerS: Math.round(raw),
    shareOfRaw: Number((measured.callsPerS / raw).toFixed(2)),
    p50Ms: Number(measured.p50Ms.toFixed(1)),
    p95Ms: Number(measured.p95Ms.toFixed(1)),
  };
  if (values.json) console.log(JSON.stringify(report));
  else for (const [name, figure] of Object.entries(report)) console.log(`${name.padEnd(14)} ${figure}`);
} finally {
  await controller.stop();
  directory.remove();
}
