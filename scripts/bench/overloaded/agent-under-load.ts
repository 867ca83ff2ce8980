import { readFileSync } from "node:fs";
import { createTextSource, type TextLength } from "#tools/load/load-texts.ts";
import { readTreeUsage } from "#tools/load/watch/process-tree.ts";
import { startAgent as startBenchedAgent } from "../start-agent.ts";

/** Two tenants, as every agent here is configured; the second floods. */
export const keys = { a: "key-of-tenant-a", b: "key-of-tenant-b" } as const;
export type Tenant = keyof typeof keys;

export interface Outcome {
  readonly status: number;
  readonly texts: number;
  /** On the clock of `performance.now`. */
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface MemoryUse {
  readonly servingBytes: number;
  readonly modelBytes: number;
}

export interface AgentUnderLoad {
  readonly name: string;
  /** Sends one request and waits for all of its answer. Never rejects: status 0 is a connection that failed. */
  ask(tenant: Tenant, texts: readonly string[]): Promise<Outcome>;
  cpuS(): number;
  memory(): MemoryUse;
  stop(): Promise<void>;
}

/** The length that texts of this run have; all are different. */
export function textsOf(length: TextLength, seed: number): (count: number) => string[] {
  const next = createTextSource({ length, seed });
  return (count) => Array.from({ length: count }, next);
}

function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has just ended
  }
}

/** Starts an executable with an empty state on a free port, with a cache for nothing. */
export async function startAgent(binary: string, name: string): Promise<AgentUnderLoad> {
  const apiKeys = Object.entries(keys).map(([tenant, key]) => ({ key, tenant }));
  const serving = { apiKeys, cacheBytes: 0, grpc: { enabled: false } };
  const { url, pid, stop } = await startBenchedAgent(binary, { config: { serving } });
  return {
    name,
    async ask(tenant, texts) {
      const startedMs = performance.now();
      let status = 0;
      try {
        const response = await fetch(`${url}/v1/embeddings`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${keys[tenant]}` },
          body: JSON.stringify({ model: "all-MiniLM-L6-v2", input: texts, encoding_format: "base64" }),
        });
        await response.arrayBuffer();
        status = response.status;
      } catch {
        // status 0
      }
      return { status, texts: texts.length, startedMs, endedMs: performance.now() };
    },
    cpuS: () => readTreeUsage(pid)?.cpuS ?? 0,
    memory() {
      const servingBytes = residentBytes(pid);
      return { servingBytes, modelBytes: (readTreeUsage(pid)?.residentBytes ?? servingBytes) - servingBytes };
    },
    stop,
  };
}

export interface ClientOptions {
  readonly tenant: Tenant;
  readonly connections: number;
  readonly inputs: number;
  /** Between an answer and the next request. Default: none. */
  readonly thinkMs?: number;
}

/** Clients that ask again when they are answered, heeding no Retry-After, until `untilMs`. Resolves when all are answered. */
export async function closedLoop(
  agent: AgentUnderLoad,
  texts: (count: number) => string[],
  { tenant, connections, inputs, thinkMs = 0 }: ClientOptions,
  untilMs: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const client = async () => {
    while (performance.now() < untilMs) {
      outcomes.push(await agent.ask(tenant, texts(inputs)));
      if (thinkMs > 0) await Bun.sleep(thinkMs);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  return outcomes;
}

/** Requests that leave at their rate whether or not earlier ones are answered, up to a thousand at once. */
export async function openLoop(
  agent: AgentUnderLoad,
  texts: (count: number) => string[],
  { tenant, inputs, perS }: { readonly tenant: Tenant; readonly inputs: number; readonly perS: number },
  untilMs: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const underWay = new Set<Promise<void>>();
  let dueMs = performance.now();
  while (performance.now() < untilMs) {
    while (dueMs <= performance.now() && underWay.size < 1_000) {
      dueMs += 1_000 / perS;
      const sent: Promise<void> = agent.ask(tenant, texts(inputs)).then((outcome) => {
        outcomes.push(outcome);
        underWay.delete(sent);
      });
      underWay.add(sent);
    }
    await Bun.sleep(2);
  }
  await Promise.all(underWay);
  return outcomes;
}
