/** Starts an agent and, in processes of their own, clients of each of its APIs, for the benchmarks of the APIs. */
import { parseArgs } from "node:util";
import { cpuSeconds, hostBinary, type RunningAgent, root, startAgent } from "./start-agent.ts";

export const clients = 8;

/** A client's program: `ask(text)` resolves with the answer. Runs in Bun over HTTP and in Node over gRPC, as clients have it. */
const asks = {
  "http json": ({ url }: Addresses) => `
    const headers = { "content-type": "application/json", ...keyHeader };
    const ask = async (text) => (await fetch("${url}/api/v1/embed", { method: "POST", headers,
      body: JSON.stringify({ inputs: [text] }) })).json();`,
  "http base64": ({ url }: Addresses) => `
    const headers = { "content-type": "application/json", ...keyHeader };
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

type Addresses = Pick<RunningAgent, "url" | "grpc">;

/** An expression for the text of a client's n-th question. */
const texts = {
  cached: `"the gripper lost the part"`,
  new: '"client " + id + " asks " + (first + n) + " why the conveyor in hall four stopped twice this morning"',
} as const;
export type TextKind = keyof typeof texts;
export const textKinds = Object.keys(texts) as TextKind[];

function program(ask: string, text: string, runMs: number): string {
  return `const key = process.env.ASKED_KEY;
    const keyHeader = key === undefined ? {} : { authorization: "Bearer " + key };
    ${ask}
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
      const at = (share) => latencies[Math.floor(latencies.length * share)];
      console.log(JSON.stringify({ calls: latencies.length, p50Ms: at(0.5), p95Ms: at(0.95) }));
      process.exit(0);
    })();`;
}

export interface Measured {
  readonly callsPerS: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** Of the service process: the model's is another. */
  readonly agentCpuUsPerCall: number;
}

export interface AskedAgent extends RunningAgent {
  /** So many clients ask one after another for so long. */
  measure(api: Api, text: TextKind, runMs: number): Promise<Measured>;
}

/** Settings of an agent, and the variables of its clients: `ASKED_KEY` is their key. */
interface Asked {
  readonly serving?: object;
  readonly clients?: Readonly<Record<string, string>>;
}

/** The program with an empty state on free ports. */
export async function startAskedAgent(
  binary: string,
  env: Record<string, string> = {},
  { serving = {}, clients: own = {} }: Asked = {},
): Promise<AskedAgent> {
  const agent = await startAgent(binary, { env, config: { serving } });
  return {
    ...agent,
    async measure(api, text, runMs) {
      const runtime = api === "grpc" ? "node" : process.execPath;
      const before = cpuSeconds(agent.pid);
      const child = Bun.spawn([runtime, "-e", program(asks[api](agent), texts[text], runMs)], {
        cwd: root,
        env: { ...process.env, ...own },
        stdout: "pipe",
      });
      const { calls, p50Ms, p95Ms } = JSON.parse(await new Response(child.stdout).text());
      return {
        callsPerS: Math.round(calls / (runMs / 1000)),
        p50Ms: Number(p50Ms.toFixed(2)),
        p95Ms: Number(p95Ms.toFixed(2)),
        agentCpuUsPerCall: Math.round(((cpuSeconds(agent.pid) - before) * 1e6) / calls),
      };
    },
  };
}

/** Reads the options of a benchmark in rounds; ends the process when they are wrong. */
export function readRoundOptions(defaultRounds: number): {
  readonly binary: string;
  readonly rounds: number;
  readonly json: boolean;
} {
  const { values } = parseArgs({
    options: {
      binary: { type: "string", default: hostBinary },
      rounds: { type: "string", default: String(defaultRounds) },
      json: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    console.error(`--rounds: expected a number from 1 up, got ${values.rounds}`);
    process.exit(2);
  }
  return { binary: values.binary, rounds, json: values.json };
}
