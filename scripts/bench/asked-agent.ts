/** Starts an agent and, in processes of their own, clients of each of its APIs, for the benchmarks of the APIs. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryDirectory } from "../../test/e2e/program.ts";

export const root = join(import.meta.dir, "..", "..");
const clients = 8;
const msPerTick = 10;

/** A client's program: `ask(text)` resolves with the answer. Runs in Bun over HTTP and in Node over gRPC, as clients have it. */
const asks = {
  "http json": ({ url }: Addresses) => `
    const headers = { "content-type": "application/json" };
    const ask = async (text) => (await fetch("${url}/api/v1/embed", { method: "POST", headers,
      body: JSON.stringify({ inputs: [text] }) })).json();`,
  "http base64": ({ url }: Addresses) => `
    const headers = { "content-type": "application/json" };
    const ask = async (text) => (await fetch("${url}/v1/embeddings", { method: "POST", headers,
      body: JSON.stringify({ input: text, encoding_format: "base64" }) })).json();`,
  grpc: ({ grpc }: Addresses) => `
    const grpc = require("@grpc/grpc-js");
    const { loadSync } = require("@grpc/proto-loader");
    const { akidb } = grpc.loadPackageDefinition(loadSync("agent/serving/grpc/embedding.proto"));
    const client = new akidb.embedding.v1.EmbeddingService("${grpc}", grpc.credentials.createInsecure());
    const ask = (text) => new Promise((resolve, reject) => {
      client.Embed({ inputs: [text] }, (error, answer) => (error ? reject(error) : resolve(answer)));
    });`,
} as const;
export type Api = keyof typeof asks;
export const apis = Object.keys(asks) as Api[];

interface Addresses {
  readonly url: string;
  readonly grpc: string;
}

/** An expression for the text of a client's n-th question. */
const texts = {
  cached: `"the gripper lost the part"`,
  new: '"client " + id + " asks " + (first + n) + " why the conveyor in hall four stopped twice this morning"',
} as const;
export type TextKind = keyof typeof texts;
export const textKinds = Object.keys(texts) as TextKind[];

function program(ask: string, text: string, runMs: number): string {
  return `${ask}
    const first = Math.floor(Math.random() * 1e9);
    (async () => {
      const latencies = [];
      const endMs = performance.now() + ${runMs};
      await Promise.all(Array.from({ length: ${clients} }, async (_, id) => {
        for (let n = 0; performance.now() < endMs; n += 1) {
          const startedMs = performance.now();
          const answer = await ask(${text});
          if (answer.error) throw new Error(JSON.stringify(answer));
          latencies.push(performance.now() - startedMs);
        }
      }));
      latencies.sort((a, b) => a - b);
      console.log(JSON.stringify({ calls: latencies.length, p50Ms: latencies[latencies.length >> 1] }));
      process.exit(0);
    })();`;
}

/** CPU time of a process so far, user and system. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

export interface Measured {
  readonly callsPerS: number;
  readonly p50Ms: number;
  /** Of the service process: the model's is another. */
  readonly agentCpuUsPerCall: number;
}

export interface AskedAgent {
  /** So many clients ask one after another for so long. */
  measure(api: Api, text: TextKind, runMs: number): Promise<Measured>;
  stop(): Promise<void>;
}

/** The program with an empty state on free ports. */
export async function startAskedAgent(binary: string, environment: Record<string, string> = {}): Promise<AskedAgent> {
  const directory = temporaryDirectory();
  await Bun.write(join(directory.path, "agent.json"), JSON.stringify({ serving: { grpc: { port: 0 } } }));
  const agent = Bun.spawn(
    [resolve(binary), "agent", "--config", "agent.json", "--listen", "127.0.0.1:0", "--state-dir", directory.path],
    { cwd: directory.path, env: { ...process.env, ...environment }, stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  );
  const stop = async () => {
    agent.kill("SIGTERM");
    await agent.exited;
    directory.remove();
  };
  let log = "";
  let addresses: Addresses | undefined;
  const decoder = new TextDecoder();
  for await (const chunk of agent.stderr) {
    log += decoder.decode(chunk, { stream: true });
    const line = log.split("\n").find((candidate) => candidate.includes('"msg":"agent started"'));
    if (line === undefined) continue;
    addresses = JSON.parse(line);
    break;
  }
  if (addresses === undefined) {
    await stop();
    throw new Error(`the agent did not start:\n${log}`);
  }
  const { url, grpc } = addresses;
  return {
    async measure(api, text, runMs) {
      const runtime = api === "grpc" ? "node" : process.execPath;
      const before = cpuMs(agent.pid);
      const child = Bun.spawn([runtime, "-e", program(asks[api]({ url, grpc }), texts[text], runMs)], {
        cwd: root,
        stdout: "pipe",
      });
      const { calls, p50Ms } = JSON.parse(await new Response(child.stdout).text());
      return {
        callsPerS: Math.round(calls / (runMs / 1000)),
        p50Ms: Number(p50Ms.toFixed(2)),
        agentCpuUsPerCall: Math.round(((cpuMs(agent.pid) - before) * 1000) / calls),
      };
    },
    stop,
  };
}
