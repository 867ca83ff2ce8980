/** See scripts/bench/overload. */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { type TextLength, textLengths } from "#tools/load/load-texts.ts";
import { median } from "../median.ts";
import { printRows } from "../print-rows.ts";
import { hostBinary } from "../start-agent.ts";
import {
  type AgentUnderLoad,
  closedLoop,
  type MemoryUse,
  type Outcome,
  openLoop,
  startAgent,
  textsOf,
} from "./agent-under-load.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    binary: { type: "string", default: hostBinary },
    against: { type: "string" },
    seconds: { type: "string" },
    rounds: { type: "string", default: "3" },
    texts: { type: "string", default: "mixed" },
    json: { type: "boolean", default: false },
  },
});
const scenarios = ["connections", "tenants", "steady"] as const;
const chosen = positionals.length === 0 ? [...scenarios] : positionals;
const textLength = values.texts as TextLength;
if (!textLengths.includes(textLength)) throw new Error(`--texts: expected one of ${textLengths.join(", ")}`);
const rounds = Number(values.rounds);
const rampMs = 5_000;
const windowMs = 10_000;
/** Time after which a flood has filled the queue and the processes of one thread have taken over. */
const floodRampMs = 2_500;
/** Parts of a round in which a tenant is measured, alone and beside a flood. */
const slicesPerRound = 5;

const round = (value: number, digits = 2) => Math.round(value * 10 ** digits) / 10 ** digits;
const answered = (outcomes: readonly Outcome[]) => outcomes.filter(({ status }) => status === 200);
const missed: string[] = [];
function bar(agent: string, what: string, value: number, holds: boolean): void {
  if (agent === "new" && !holds) missed.push(`${what}: ${value}`);
}

function p95Ms(outcomes: readonly Outcome[]): number {
  const sorted = answered(outcomes)
    .map(({ startedMs, endedMs }) => endedMs - startedMs)
    .sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;
}

/** Texts whose answers came in a stretch of time; of one that was under way at its borders the part that falls into it. */
function textsWithin(outcomes: readonly Outcome[], fromMs: number, toMs: number): number {
  return answered(outcomes).reduce((sum, { texts, startedMs, endedMs }) => {
    const share = (Math.min(endedMs, toMs) - Math.max(startedMs, fromMs)) / Math.max(1, endedMs - startedMs);
    return sum + texts * Math.max(0, share);
  }, 0);
}

function statuses(outcomes: readonly Outcome[]): string {
  const counts = new Map<number, number>();
  for (const { status } of outcomes) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${count} × ${status}`)
    .join(", ");
}

let seed = Math.floor(Math.random() * 2 ** 20);
function freshTexts(): (count: number) => string[] {
  seed += 1;
  return textsOf(textLength, seed);
}

async function withAgents(run: (agents: readonly AgentUnderLoad[]) => Promise<void>): Promise<void> {
  const binaries: [string, string][] = [["new", values.binary]];
  if (values.against !== undefined) binaries.push(["before", values.against]);
  const agents: AgentUnderLoad[] = [];
  try {
    for (const [name, binary] of binaries) agents.push(await startAgent(binary, name));
    await run(agents);
  } finally {
    for (const agent of agents) await agent.stop();
  }
}

/** Ten and eighty connections with sixty texts a request. */
async function connections(): Promise<void> {
  const seconds = Number(values.seconds ?? 30);
  await withAgents(async (agents) => {
    const none: readonly number[] = [];
    const rows = agents.map((agent) => ({
      agent,
      ...{ few: [...none], many: [...none], fewPerCpu: [...none], manyPerCpu: [...none], statuses: "" },
    }));
    for (let turn = 0; turn < rounds; turn += 1) {
      for (const row of rows) {
        const { agent } = row;
        for (const count of [10, 80]) {
          const fromMs = performance.now() + rampMs;
          const toMs = fromMs + 1_000 * seconds;
          const running = closedLoop(agent, freshTexts(), { tenant: "b", connections: count, inputs: 60 }, toMs);
          await Bun.sleep(rampMs);
          const cpuS = agent.cpuS();
          await Bun.sleep(1_000 * seconds);
          const usedS = agent.cpuS() - cpuS;
          const outcomes = await running;
          const texts = textsWithin(outcomes, fromMs, toMs);
          (count === 10 ? row.few : row.many).push(texts / seconds);
          (count === 10 ? row.fewPerCpu : row.manyPerCpu).push(texts / usedS);
          if (count === 80) row.statuses = statuses(outcomes);
        }
      }
    }
    const figures = rows.map(({ agent: { name }, ...row }) => {
      const ratio = round(median(row.many.map((many, turn) => many / (row.few[turn] as number))));
      bar(name, "texts/s with 80 connections beside 10", ratio, ratio >= 0.9);
      return {
        agent: name,
        "texts/s of 10": round(median(row.few), 1),
        "of 80": round(median(row.many), 1),
        ratio,
        "per CPU s of 10": round(median(row.fewPerCpu), 1),
        "CPU s of 80": round(median(row.manyPerCpu), 1),
        "answers to 80": row.statuses,
      };
    });
    printRows(figures, values.json);
  });
}

/** A tenant that asks now and then, alone and while another floods with eighty connections of sixty texts. */
async function tenants(): Promise<void> {
  const seconds = Number(values.seconds ?? 30);
  const rows: object[] = [];
  await withAgents(async (agents) => {
    for (const inputs of [1, 10, 60]) {
      const none: readonly Outcome[] = [];
      const results = agents.map((agent) => ({ agent, alone: [...none], beside: [...none], flood: [...none] }));
      for (let slice = 0; slice < rounds * slicesPerRound; slice += 1) {
        for (const result of results) {
          const { agent } = result;
          const sliceMs = (1_000 * seconds) / slicesPerRound;
          // About a third of the time, whatever the machine: a request, then twice as long nothing.
          const polite = async (untilMs: number) => {
            const texts = freshTexts();
            const outcomes: Outcome[] = [];
            while (performance.now() < untilMs) {
              const outcome = await agent.ask("a", texts(inputs));
              outcomes.push(outcome);
              await Bun.sleep(Math.max(100, 2 * (outcome.endedMs - outcome.startedMs)));
            }
            return outcomes;
          };
          const alone = async () => result.alone.push(...(await polite(performance.now() + sliceMs)));
          const beside = async () => {
            const untilMs = performance.now() + floodRampMs + sliceMs;
            const flood = closedLoop(agent, freshTexts(), { tenant: "b", connections: 80, inputs: 60 }, untilMs);
            await Bun.sleep(floodRampMs);
            result.beside.push(...(await polite(untilMs)));
            result.flood.push(...(await flood));
          };
          // In turns, so that what else the machine does disturbs both alike.
          for (const part of slice % 2 === 0 ? [alone, beside] : [beside, alone]) await part();
        }
      }
      for (const { agent, alone, beside, flood } of results) {
        const { name } = agent;
        const kept = round(answered(beside).length / beside.length, 3);
        const ratio = round(p95Ms(beside) / p95Ms(alone));
        bar(name, `requests of ${inputs} texts that a tenant keeps`, kept, kept >= 0.95);
        bar(name, `p95 of requests of ${inputs} texts beside alone`, ratio, ratio <= 1.1);
        rows.push({
          agent: name,
          "texts a request": inputs,
          "p95 alone": `${round(p95Ms(alone), 0)} ms`,
          beside: `${round(p95Ms(beside), 0)} ms`,
          ratio,
          kept,
          answers: statuses(beside),
          flood: statuses(flood),
        });
      }
    }
  });
  printRows(rows, values.json);
}

/** A long time at three times the capacity, open loop, after the capacity was measured with clients that ask one after another. */
async function steady(): Promise<void> {
  const seconds = Number(values.seconds ?? 600);
  const inputs = 8;
  const rows: object[] = [];
  await withAgents(async (agents) => {
    for (const agent of agents) {
      const measureMs = 20_000;
      const fromMs = performance.now() + rampMs;
      const before = await closedLoop(
        agent,
        freshTexts(),
        { tenant: "b", connections: 16, inputs },
        fromMs + measureMs,
      );
      const capacity = (textsWithin(before, fromMs, fromMs + measureMs) / measureMs) * 1_000;
      const startMs = performance.now();
      const endMs = startMs + 1_000 * seconds;
      const memory: { readonly atMs: number; readonly use: MemoryUse }[] = [];
      const timer = setInterval(() => memory.push({ atMs: performance.now(), use: agent.memory() }), 1_000);
      const outcomes = await openLoop(
        agent,
        freshTexts(),
        { tenant: "b", inputs, perS: (3 * capacity) / inputs },
        endMs,
      );
      clearInterval(timer);
      const windows: number[] = [];
      for (let at = startMs + rampMs; at + windowMs <= endMs; at += windowMs)
        windows.push(textsWithin(outcomes, at, at + windowMs) / (windowMs / 1_000) / capacity);
      const late = answered(outcomes).filter(({ startedMs, endedMs }) => endedMs - startedMs > 30_000).length;
      const total = ({ servingBytes, modelBytes }: MemoryUse) => servingBytes + modelBytes;
      const between = (from: number, to: number, of: (use: MemoryUse) => number) =>
        median(memory.filter(({ atMs }) => atMs >= from && atMs <= to).map(({ use }) => of(use)));
      const firstMs = startMs + Math.min(60_000, 300 * seconds);
      const stretchMs = Math.min(30_000, 150 * seconds);
      const growth = (of: (use: MemoryUse) => number) =>
        `${round(between(firstMs, firstMs + stretchMs, of) / 1e6, 0)} → ${round(between(endMs - stretchMs, endMs, of) / 1e6, 0)}`;
      const grown = round(between(endMs - stretchMs, endMs, total) / between(firstMs, firstMs + stretchMs, total), 3);
      const least = round(Math.min(...windows));
      bar(agent.name, "least throughput of 10 s beside capacity", least, least >= 0.9);
      bar(agent.name, "answers after their deadline", late, late === 0);
      bar(agent.name, "memory at the end beside after a minute", grown, grown <= 1.05);
      rows.push({
        agent: agent.name,
        "capacity, texts/s": round(capacity, 1),
        "least window": least,
        median: round(median(windows)),
        answers: statuses(outcomes),
        "p95 ms": round(p95Ms(outcomes), 0),
        late,
        "serving MB": growth(({ servingBytes }) => servingBytes),
        "models MB": growth(({ modelBytes }) => modelBytes),
        grown,
      });
    }
  });
  printRows(rows, values.json);
}

const run = { connections, tenants, steady } as const;
if (!values.json) console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, texts: ${textLength}`);
for (const name of chosen) {
  const scenario = scenarios.find((known) => known === name);
  if (scenario === undefined) throw new Error(`expected ${scenarios.join(", ")}, got ${name}`);
  await run[scenario]();
}
for (const miss of missed) console.error(`missed: ${miss}`);
process.exit(missed.length > 0 ? 1 : 0);
