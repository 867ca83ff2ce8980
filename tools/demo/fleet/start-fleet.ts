import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClockConfig, createClock } from "#platform/clock.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { selfCommand } from "#platform/process/self-command.ts";
import { minuteMs } from "#platform/time.ts";
import { Balancer } from "#tools/demo/traffic/balancer.ts";
import { type SendOptions, type SendResult, sendEmbedding } from "#tools/demo/traffic/send-embedding.ts";
import type { ChildProcess } from "./child-process.ts";
import { createControllerClient } from "./controller-client.ts";
import type { DemoBoard } from "./demo-fleet.ts";
import { agentConfig, controllerConfig, type FleetSettings, probeConfig } from "./fleet-config.ts";
import type { FleetProcesses } from "./fleet-processes.ts";
import { answersOk } from "./http-json.ts";

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
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`);
  return path;
}

const probeClients = 4;
const warmUpMs = 500;

/**
 * Measures how many requests a second an agent answers to a few clients that each send the next request when they have the answer.
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
 * Starts a separate agent, measures it and stops it.
 * @returns the rate that it answers without limits, requests a second, and the real time until it was ready
 */
export async function measureMachine(
  processes: FleetProcesses,
  directory: string,
  ports: { readonly agent: number; readonly unusedBroker: number },
  nextText: () => string,
): Promise<{ readonly qps: number; readonly startMs: number }> {
  const startedMs = performance.now();
  const path = await writeConfig(directory, "probe", probeConfig(directory, ports.agent, ports.unusedBroker));
  const child = startProcess(processes, "probe agent", "agent", path);
  const url = `http://127.0.0.1:${ports.agent}`;
  await processes.waitUntil(child, "ready", readyTimeoutMs, () => answersOk(`${url}/readyz`));
  const startMs = performance.now() - startedMs;
  const balancer = new Balancer();
  balancer.update([{ agentId: "probe", url, weight: 1 }]);
  const send = () => sendEmbedding(balancer, "native", nextText(), sendOptions);
  const qps = await processes.guard(measureQps(send, measureMs));
  await child.stop(5_000);
  return { qps, startMs };
}

export interface FleetPlan {
  readonly directory: string;
  readonly boards: readonly DemoBoard[];
  /** Ports of the controller, of the broker, then of each board. */
  readonly ports: readonly number[];
  readonly clock: ClockConfig;
  readonly capacityScale: number;
  readonly slowFromMs: number;
  readonly warmUpRealMs: number;
}

/**
 * Starts controller and agents; resolves with their addresses when all agents are ready and the controller knows them.
 * @throws FleetFailure naming a process that was not ready
 */
export async function startFleet(
  processes: FleetProcesses,
  plan: FleetPlan,
  say: (line: string) => void,
): Promise<{ controllerUrl: string; agents: { agentId: string; url: string }[] }> {
  const { directory, boards, clock, capacityScale, slowFromMs } = plan;
  const [controllerPort = 0, brokerPort = 0, ...agentPorts] = plan.ports;
  const settings: FleetSettings = { directory, clock, capacityScale, slowFromMs, controllerPort, brokerPort };
  const controllerUrl = `http://127.0.0.1:${controllerPort}`;
  const controllerPath = await writeConfig(
    directory,
    "controller",
    controllerConfig(settings, boards.length, plan.warmUpRealMs),
  );
  const controllerChild = startProcess(processes, "controller", "controller", controllerPath);
  await processes.waitUntil(controllerChild, "healthy", readyTimeoutMs, () => answersOk(`${controllerUrl}/healthz`));
  say(`controller healthy: ${controllerUrl}; why it decides what: thormesh why --url ${controllerUrl}`);

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
  await Promise.all(
    agents.map(async ({ board, url, child }) => {
      await processes.waitUntil(child, "ready", readyTimeoutMs, () => answersOk(`${url}/readyz`));
      say(`agent ${board.agentId} ready: ${url} (${board.preset})`);
    }),
  );
  const controller = createControllerClient(controllerUrl);
  await processes.waitUntil(controllerChild, "in contact with all agents", readyTimeoutMs, async () => {
    const known = await controller.agents().catch(() => []);
    return (
      known.filter(({ status, unavailableReason }) => status === "online" && unavailableReason === null).length ===
      boards.length
    );
  });
  // Verifies that the processes share the clock.
  const driftMs = (await processes.guard(controller.fleet())).nowMs - createClock(clock).nowMs();
  if (Math.abs(driftMs) > clock.speed * 5_000)
    throw new Error(`the controller's clock is off by ${driftMs} ms. This is a bug.`);
  return { controllerUrl, agents: agents.map(({ board, url }) => ({ agentId: board.agentId, url })) };
}
