/** A process of scripts/bench/fleet-load: some of the fleet's agents. It is told by its parent what to do, and answers over the same channel. */
import { createPublicKey } from "node:crypto";
import { sendPhaseMs } from "#agent/telemetry/send-phase.ts";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { certificateToPem } from "#platform/certificates/certificate-authority.ts";
import { keyToPem, newKey } from "#platform/certificates/device-key.ts";
import { type Clock, type ClockConfig, createClock, systemClock } from "#platform/clock.ts";
import { dayMs, minuteMs, secondMs } from "#platform/time.ts";
import { agentSecret, parseBrokerKey } from "#protocol/broker-secret.ts";
import type { BareTls } from "./bare-client.ts";
import { SimulatedAgent } from "./simulated-agent.ts";

export interface SimulationJob {
  readonly fleet: string;
  readonly port: number;
  /** Text of the fleet's key; null: the broker asks for no login. */
  readonly key: string | null;
  /** Directory of the authority that certifies the agents; null: they connect without TLS. */
  readonly authorityDir: string | null;
  readonly firstIndex: number;
  readonly agents: number;
  /** Texts per second of all agents of this process together. */
  readonly demandQps: number;
  /** Stretch after a minute in which agents send it, each at its own time. */
  readonly spreadMs: number;
  /** Clock of the fleet; null: the real one. */
  readonly clock: ClockConfig | null;
}

export type SimulationOrder =
  | { readonly do: "begin"; readonly job: SimulationJob }
  | { readonly do: "connect"; readonly perS: number }
  | { readonly do: "cut" }
  | { readonly do: "end-minutes" }
  | { readonly do: "report"; readonly id: number };

export interface SimulationReport {
  readonly id: number;
  readonly connected: number;
  readonly minutes: number;
  readonly unconfirmed: number;
  /** Times from publish to confirmation since the last report, ms. */
  readonly storedMs: readonly number[];
  readonly cpuS: number;
  readonly boots: readonly { readonly agentId: string; readonly bootId: string; readonly minutes: number }[];
}

const tickMs = 100;
const minTickMs = 10;
/** Ten seconds of the fleet's clock, and no less than a real one, as of a real agent. */
const beatMs = () => Math.max(10 * secondMs, secondMs * clock.speed);
/** Demand moves by a fifth in ten minutes: the controller has something to follow. */
const wave = (nowMs: number) => 1 + 0.2 * Math.sin((2 * Math.PI * nowMs) / (10 * minuteMs));

/** Resolves when the agents can connect. */
let prepared = Promise.resolve();
let clock: Clock = systemClock;
let storedMs: number[] = [];
let agents: SimulatedAgent[] = [];
let job: SimulationJob | undefined;
let endsMinutes = true;
const nextBeatMs = new Map<SimulatedAgent, number>();
const sentMinuteMs = new Map<SimulatedAgent, number>();

function begin(given: SimulationJob): void {
  job = given;
  clock = createClock(given.clock);
  const { fleet, port, firstIndex } = given;
  const key = given.key === null ? null : parseBrokerKey(given.key);
  const secretOf = key === null ? null : (agentId: string) => agentSecret(key, fleet, agentId);
  const nowMs = () => clock.nowMs();
  const certified = new Map<string, BareTls>();
  const tlsOf = given.authorityDir === null ? null : (agentId: string) => certified.get(agentId) as BareTls;
  const parts = { fleet, port, secretOf, tlsOf, nowMs, onStored: (delayMs: number) => void storedMs.push(delayMs) };
  agents = Array.from({ length: given.agents }, (_, each) => {
    const index = firstIndex + each;
    return new SimulatedAgent(`thor-${String(index).padStart(5, "0")}`, index, parts);
  });
  if (given.authorityDir !== null) prepared = certify(given.authorityDir, fleet, certified);
  for (const agent of agents) {
    nextBeatMs.set(agent, nowMs() + beatMs() * Math.random());
    sentMinuteMs.set(agent, Math.floor(nowMs() / minuteMs) * minuteMs);
  }
  setInterval(tick, Math.max(minTickMs, Math.min(tickMs, minuteMs / clock.speed / 4)));
}

/** Certifies each agent by its id; they share one key, which takes no time to make. */
async function certify(directory: string, fleet: string, certified: Map<string, BareTls>): Promise<void> {
  const authority = await openFleetAuthority(directory, fleet, Date.now());
  const [key, ca] = [newKey(), certificateToPem(authority.certificate)];
  const device = { region: "", publicKey: createPublicKey(key), lifeMs: dayMs };
  for (const { agentId } of agents) {
    const cert = certificateToPem(await authority.issueAgent({ ...device, agentId }));
    certified.set(agentId, { key: keyToPem(key), cert, ca });
  }
}

function tick(): void {
  if (job === undefined) return;
  const nowMs = clock.nowMs();
  const minuteStartMs = Math.floor(nowMs / minuteMs) * minuteMs;
  const active = agents.filter(({ role }) => role === "active").length;
  const qps = (job.demandQps * wave(nowMs)) / Math.max(1, active);
  for (const agent of agents) {
    if (nowMs >= (nextBeatMs.get(agent) ?? 0)) {
      nextBeatMs.set(agent, nowMs + beatMs() * (0.8 + 0.4 * Math.random()));
      agent.beat(qps);
    }
    const isDue = (sentMinuteMs.get(agent) ?? 0) < minuteStartMs;
    if (!endsMinutes || !isDue || nowMs - minuteStartMs < sendPhaseMs(agent.agentId, job.spreadMs)) continue;
    sentMinuteMs.set(agent, minuteStartMs);
    agent.endMinute(minuteStartMs - minuteMs, qps);
  }
}

async function connectAll(perS: number): Promise<void> {
  await prepared;
  for (const [index, agent] of agents.entries()) {
    agent.connect();
    if ((index + 1) % Math.max(1, Math.round(perS / 20)) === 0) await Bun.sleep(50);
  }
}

function report(id: number): SimulationReport {
  const { user, system } = process.cpuUsage();
  const delays = storedMs;
  storedMs = [];
  return {
    id,
    connected: agents.filter(({ isConnected }) => isConnected).length,
    minutes: agents.reduce((sum, { minutes }) => sum + minutes, 0),
    unconfirmed: agents.reduce((sum, { unconfirmed }) => sum + unconfirmed, 0),
    storedMs: delays,
    cpuS: (user + system) / 1e6,
    boots: agents.map(({ agentId, bootId, minutes }) => ({ agentId, bootId, minutes })),
  };
}

process.on("message", (order: SimulationOrder) => {
  if (order.do === "begin") begin(order.job);
  else if (order.do === "connect") void connectAll(order.perS);
  else if (order.do === "cut") for (const agent of agents) agent.cut();
  else if (order.do === "end-minutes") endsMinutes = false;
  else process.send?.(report(order.id));
});
process.on("disconnect", () => process.exit(0));
