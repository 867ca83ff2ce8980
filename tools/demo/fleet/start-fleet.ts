import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { AgentStatus } from "#agent/agent-status.ts";
import { type ClockConfig, createClock } from "#platform/clock.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { writeSecretFile } from "#platform/files/write-secret-file.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs } from "#platform/time.ts";
import { type SendOptions, type SendResult, sendEmbedding } from "#tools/demo/traffic/send-embedding.ts";
import type { ChildProcess } from "./child-process.ts";
import { type ControllerClient, createControllerClient } from "./controller-client.ts";
import type { DemoBoard } from "./demo-fleet.ts";
import {
  agentConfig,
  cloudConfig,
  controllerConfig,
  entryConfig,
  entryId,
  type FleetSettings,
  viewerKey,
} from "./fleet-config.ts";
import type { FleetProcesses } from "./fleet-processes.ts";
import { answersOk, getJson } from "./http-json.ts";
import { joinAgents } from "./join-agents.ts";

/** Time limit of a start: unpacking libraries and loading four models takes seconds, longer on a slow disk. */
const readyTimeoutMs = minuteMs;
const measureMs = 1_500;
/** Size limit of an answer with one vector. */
const maxAnswerBytes = 1024 * 1024;

export const sendOptions: SendOptions = {
  deadlineMs: 10_000,
  dimension: 384,
  fetch: (url, init) => fetchBounded(url, { ...init, method: "POST", maxBytes: maxAnswerBytes }),
  nowMs: () => performance.now(),
  sleep: (durationMs) => Bun.sleep(durationMs),
};

function startProcess(processes: FleetProcesses, name: string, command: string, configPath: string): ChildProcess {
  return processes.start(name, [...selfCommand(), command, "--config", configPath, "--exit-on-stdin-close"]);
}

async function writeConfig(directory: string, name: string, config: unknown): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${name}.json`);
  // The controller's holds a key.
  writeSecretFile(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}

const probeClients = 4;
const warmUpMs = 500;

/**
 * Measures how many requests per second an agent answers to a few clients that each send the next request when they have the answer.
 * @param durationMs real milliseconds, after a short warm-up
 * @throws Error when a request fails
 */
async function measureQps(send: () => Promise<SendResult>, durationMs: number): Promise<number> {
  const startedMs = performance.now();
  const countFromMs = startedMs + warmUpMs;
  const endMs = countFromMs + durationMs;
  let answered = 0;
  const client = async () => {
    for (;;) {
      const result = await send();
      if (!result.ok) throw new Error(`an agent alone does not answer: ${result.failure}`);
      const nowMs = performance.now();
      if (nowMs >= endMs) return;
      if (nowMs >= countFromMs) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: probeClients }, client));
  return answered / (durationMs / 1000);
}

/**
 * Starts an agent outside the fleet and measures it. It continues, as the place that requests are sent to when the fleet is full.
 * @returns the rate that it answers without limits, requests per second, the real time until it was ready, and its address
 */
export async function startCloud(
  processes: FleetProcesses,
  directory: string,
  ports: { readonly agent: number; readonly unusedBroker: number },
  nextText: () => string,
): Promise<{ readonly qps: number; readonly startMs: number; readonly url: string }> {
  const startedMs = performance.now();
  const path = await writeConfig(directory, "cloud", cloudConfig(directory, ports.agent, ports.unusedBroker));
  const child = startProcess(processes, "cloud", "agent", path);
  const url = `http://127.0.0.1:${ports.agent}`;
  await processes.waitUntil(child, "ready", readyTimeoutMs, () => answersOk(`${url}/readyz`));
  const startMs = performance.now() - startedMs;
  const send = () => sendEmbedding({ url, shape: "native" }, nextText(), sendOptions);
  const qps = await processes.guard(measureQps(send, measureMs));
  return { qps, startMs, url };
}

export interface FleetPlan {
  readonly directory: string;
  readonly boards: readonly DemoBoard[];
  /** Ports of the controller, of the broker, of the entry, then of each board. */
  readonly ports: readonly number[];
  /** Address of the agent that stands for the places outside the fleet. */
  readonly cloudUrl: string;
  readonly clock: ClockConfig;
  readonly capacityScale: number;
  readonly slowFromMs: number;
  readonly warmUpRealMs: number;
}

/** Starts the clients' address. */
async function startEntry(processes: FleetProcesses, plan: FleetPlan, settings: FleetSettings, port: number) {
  const path = await writeConfig(plan.directory, entryId, entryConfig(settings, port, plan.cloudUrl));
  return { url: `http://127.0.0.1:${port}`, child: startProcess(processes, `agent ${entryId}`, "agent", path) };
}

/** True once an agent knows these others. */
async function knowsPeers(url: string, ids: readonly string[]): Promise<boolean> {
  const { peers } = (await getJson(`${url}/api/v1/status`, viewerKey)) as Pick<AgentStatus, "peers">;
  return ids.every((id) => peers.some(({ agentId }) => agentId === id));
}

/**
 * Starts controller, agents and entry; resolves with their addresses when all agents are ready and both controller and entry know them.
 * @throws FleetFailure naming a process that was not ready
 */
export async function startFleet(
  processes: FleetProcesses,
  plan: FleetPlan,
  say: (line: string) => void,
): Promise<{ controller: ControllerClient; entryUrl: string; agents: { agentId: string; url: string }[] }> {
  const { directory, boards, clock, capacityScale, slowFromMs } = plan;
  const [controllerPort = 0, brokerPort = 0, entryPort = 0, ...agentPorts] = plan.ports;
  const apiKey = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
  const meshKeyFile = join(directory, "mesh-key");
  writeSecretFile(meshKeyFile, crypto.randomUUID());
  const settings: FleetSettings = {
    ...{ directory, clock, capacityScale, slowFromMs, controllerPort, brokerPort, meshKeyFile, apiKey },
  };
  const controllerUrl = `http://127.0.0.1:${controllerPort}`;
  const controllerPath = await writeConfig(
    directory,
    "controller",
    controllerConfig(settings, boards.length, plan.warmUpRealMs),
  );
  const controllerChild = startProcess(processes, "controller", "controller", controllerPath);
  await processes.waitUntil(controllerChild, "healthy", readyTimeoutMs, () => answersOk(`${controllerUrl}/healthz`));
  const keyFile = join(directory, "api.key");
  writeSecretFile(keyFile, `${apiKey}\n`);
  const why = `THORMESH_API_KEY_FILE=${keyFile} thormesh why --url ${controllerUrl}`;
  say(`controller healthy: ${controllerUrl}; to explain its decisions: ${why}`);
  const ids = boards.map(({ agentId }) => agentId);
  await processes.guard(joinAgents({ directory, controllerUrl, apiKey, agentIds: [...ids, entryId] }));
  say("agents have joined: each has its own certificate, connects over TLS and obeys only signed orders");

  const agents = await Promise.all(
    boards.map(async (board, index) => {
      const port = agentPorts[index] ?? 0;
      const path = await writeConfig(directory, board.agentId, agentConfig(settings, board, port));
      return {
        board,
        url: `http://127.0.0.1:${port}`,
        child: startProcess(processes, `agent ${board.agentId}`, "agent", path),
      };
    }),
  );
  const entry = await startEntry(processes, plan, settings, entryPort);
  await Promise.all(
    agents.map(async ({ board, url, child }) => {
      await processes.waitUntil(child, "ready", readyTimeoutMs, () => answersOk(`${url}/readyz`));
      say(`agent ${board.agentId} ready: ${url} (${board.preset})`);
    }),
  );
  const controller = createControllerClient(controllerUrl, apiKey);
  say(`the fleet in a browser: ${controller.page}`);
  await processes.waitUntil(controllerChild, "in contact with all agents", readyTimeoutMs, async () => {
    const known = await controller.agents().catch(() => []);
    return (
      known.filter(({ status, unavailableReason }) => status === "online" && unavailableReason === null).length ===
      boards.length
    );
  });
  await processes.waitUntil(entry.child, "in contact with all agents", readyTimeoutMs, () =>
    knowsPeers(entry.url, ids).catch(() => false),
  );
  say(
    `clients know one address, ${entry.url}; to explain its routes: THORMESH_API_KEY=${viewerKey} thormesh why --route ${entry.url}`,
  );
  // Verifies that the processes share the clock.
  const driftMs = (await processes.guard(controller.fleet())).nowMs - createClock(clock).nowMs();
  if (Math.abs(driftMs) > clock.speed * 5_000)
    throw new Error(`the controller's clock is off by ${driftMs} ms. This is a bug.`);
  return {
    controller,
    entryUrl: entry.url,
    agents: agents.map(({ board, url }) => ({ agentId: board.agentId, url })),
  };
}
