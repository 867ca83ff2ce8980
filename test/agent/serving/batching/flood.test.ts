import { expect, test } from "bun:test";
import { simulateProcesses } from "./simulated-processes.ts";
import { type SimulatedClient, seededRandom, simulateQueue } from "./simulated-queue.ts";

/** Lengths of texts as of a mixed load: most short, some as long as a batch. */
const lengths = [12, 16, 16, 24, 32, 48, 64, 90, 128, 250];
const endMs = 65_000;
/** From then on the flood has filled the queue and the processes of one thread have taken over. */
const measuredFromMs = 5_000;

function client(tenant: string, texts: number, seed: number, thinkMs: () => number): SimulatedClient {
  const random = seededRandom(seed);
  const ask = () => Array.from({ length: texts }, () => lengths[Math.floor(random() * lengths.length)] as number);
  return { tenant, ask, thinkMs, refusedMs: () => 1_000, startMs: tenant === "quiet" ? measuredFromMs : 0 };
}

/** Answer times of a tenant that asks a third of the time, alone or beside eighty connections of another one. */
async function answerTimes(texts: number, flood: boolean, pauses = true): Promise<number[]> {
  const think = seededRandom(9);
  const clients = [client("quiet", texts, 1, () => (1 + think()) * (20 + 12 * texts))];
  for (let number = 0; flood && number < 80; number += 1) clients.push(client("flood", 60, 100 + number, () => 0));
  const { outcomes } = await simulateQueue({
    clients,
    endMs,
    createLanes: (clock) => simulateProcesses(clock, pauses),
  });
  const quiet = outcomes.filter(({ tenant }) => tenant === "quiet");
  expect(quiet.length).toBeGreaterThan(20);
  expect(quiet.every(({ kind }) => kind === "answered")).toBe(true);
  return quiet.map(({ startedMs, endedMs }) => endedMs - startedMs).sort((a, b) => a - b);
}

const p95 = (sorted: readonly number[]) => sorted[Math.ceil(0.95 * sorted.length) - 1] as number;

test.each([1, 10, 60])(
  "a flood costs requests of %d texts within their tenant's share at most a tenth of their p95",
  async (texts) => {
    const alone = p95(await answerTimes(texts, false));
    const beside = p95(await answerTimes(texts, true));
    expect(beside / alone).toBeLessThanOrEqual(1.1);
    expect(p95(await answerTimes(texts, true, false)) / alone).toBeGreaterThan(1.15);
  },
);
