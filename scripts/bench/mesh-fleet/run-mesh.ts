/** See scripts/bench/mesh. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { evenMixUsd } from "#tools/mesh/reference-offers.ts";
import { readTraffic } from "#tools/reports/backtest/read-traffic.ts";
import { slowdown } from "../../../test/fakes/machine-speed.ts";
import { hostBinary, root } from "../start-agent.ts";
import { decisionUs } from "./decision-time.ts";
import { disturb } from "./disturb.ts";
import { benchModel, prices, spotQps, startFleet } from "./fleet.ts";
import { hopCost } from "./hop-cost.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    events: { type: "string", default: "20" },
    "peak-qps": { type: "string", default: "90" },
    seed: { type: "string", default: "1" },
    binary: { type: "string", default: hostBinary },
    json: { type: "boolean", default: false },
  },
});
const numberOf = (name: "seconds" | "events" | "peak-qps" | "seed", min: number): number => {
  const value = Number(values[name]);
  if (value >= min) return value;
  throw new Error(`--${name}: expected a number from ${min}, got "${values[name]}"`);
};
const seconds = numberOf("seconds", 20);
const events = numberOf("events", 0);
const peakQps = numberOf("peak-qps", 1);
const random = seededRandom(numberOf("seed", 0));
/** A machine on which things take this much longer measures other programs. */
const reliableBelow = 1.5;

/** A day of the trace, in as many seconds as the run has. */
async function ratesOf(): Promise<number[]> {
  const { rates } = await readTraffic(join(root, "models/traffic-lstm/nasa_http_jul95_1min.csv"), null, 1);
  const busiest = Math.max(...rates);
  return Array.from({ length: seconds }, (_, second) => {
    const [from, to] = [second, second + 1].map((each) => Math.floor((each * rates.length) / seconds));
    const part = rates.slice(from, Math.max((from as number) + 1, to as number));
    return (peakQps * part.reduce((sum, rate) => sum + rate, 0)) / part.length / busiest;
  });
}

interface Reply {
  readonly second: number;
  readonly ms: number;
  readonly by: string | null;
  readonly failure: string | null;
}

let texts = 0;
async function ask(entry: string, second: number): Promise<Reply> {
  texts += 1;
  const startedMs = performance.now();
  const over = (by: string | null, failure: string | null) => ({
    second,
    ms: performance.now() - startedMs,
    by,
    failure,
  });
  try {
    const response = await fetch(`${entry}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: benchModel, input: `request ${texts} of the trace` }),
      signal: AbortSignal.timeout(30_000),
    });
    const body = await response.text();
    return over(
      response.headers.get("x-thormesh-served-by"),
      response.status === 200 ? null : `${response.status} ${body}`,
    );
  } catch (error) {
    return over(null, String(error));
  }
}

/** Clients come independently of each other; each knows one entry. */
async function replay(rates: readonly number[], entries: readonly string[]): Promise<Reply[]> {
  const startedMs = performance.now();
  const replies: Promise<Reply>[] = [];
  let atMs = 0;
  while (atMs < 1000 * rates.length) {
    const second = Math.floor(atMs / 1000);
    await Bun.sleep(Math.max(0, startedMs + atMs - performance.now()));
    replies.push(ask(entries[replies.length % entries.length] as string, second));
    atMs += (-1000 * Math.log(1 - random())) / Math.max(1, rates[second] as number);
  }
  return Promise.all(replies);
}

const priceOf = (by: string | null) =>
  by === "offer:spot" ? prices.spot : by === "offer:on-demand" ? prices["on-demand"] : prices.board;

/** Price of the requests at one who knows which boards answer: up to 80 % of their capacity, then of the cheaper upstream's. */
function oracleUsd(replies: readonly Reply[], capacities: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const { second } of replies) counts.set(second, (counts.get(second) ?? 0) + 1);
  let usd = 0;
  for (const [second, count] of counts) {
    const onBoards = Math.min(count, 0.8 * (capacities[second] ?? capacities.at(-1) ?? 0));
    const onSpot = Math.min(count - onBoards, 0.8 * spotQps);
    usd += onBoards * prices.board + onSpot * prices.spot + (count - onBoards - onSpot) * prices["on-demand"];
  }
  return usd;
}

/** Requests by backend and rule. */
async function routesOf(entries: readonly string[]): Promise<Record<string, number>> {
  const metrics = await Promise.all(entries.map(async (entry) => (await fetch(`${entry}/metrics`)).text()));
  const routes: Record<string, number> = {};
  for (const text of metrics)
    for (const [, labels = "", count] of text.matchAll(/^thormesh_routes_total\{(.*)\} (\d+)$/gm)) {
      const [, backend = ""] = /backend="([^"]*)"/.exec(labels) ?? [];
      const [, rule = ""] = /reason="([^"]*)"/.exec(labels) ?? [];
      const name = `${backend.startsWith("offer:") ? backend : "board"} ${rule}`;
      routes[name] = (routes[name] ?? 0) + Number(count);
    }
  return routes;
}

async function extraAttempts(entries: readonly string[]): Promise<number> {
  const metrics = await Promise.all(entries.map(async (entry) => (await fetch(`${entry}/metrics`)).text()));
  const lines = metrics.flatMap((text) => [...text.matchAll(/^thormesh_route_extra_attempts_total\{.*\} (\d+)$/gm)]);
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}

const slowBefore = slowdown();
const fleet = await startFleet(values.binary);
try {
  const hop = await hopCost(fleet.hop.direct, fleet.hop.through);
  await fleet.hop.stop();
  const rates = await ratesOf();
  const extraBefore = await extraAttempts(fleet.entries);
  const [replies, { disturbances, capacities }] = await Promise.all([
    replay(rates, fleet.entries),
    disturb(fleet, { events, forMs: 1000 * seconds, random }),
  ]);
  const extra = (await extraAttempts(fleet.entries)) - extraBefore;
  const failed = replies.flatMap(({ failure }) => failure ?? []);
  const usd = replies.reduce((sum, { by }) => sum + priceOf(by), 0);
  const latencies = replies.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(share * latencies.length)] as number;
  const uniformUsd = replies.length * evenMixUsd(prices);
  const share = (wanted: number) => replies.filter(({ by }) => priceOf(by) === wanted).length / replies.length;
  const slow = Math.max(slowBefore, slowdown());
  const perMillion = (sum: number) => (1e6 * sum) / replies.length;
  const figures = {
    requests: replies.length,
    failed: failed.length,
    disturbances: disturbances.length,
    usdPerMillion: perMillion(usd),
    byOracle: usd / oracleUsd(replies, capacities),
    belowUniform: 1 - usd / uniformUsd,
    shares: { boards: share(prices.board), spot: share(prices.spot), onDemand: share(prices["on-demand"]) },
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    extraAttempts: extra / replies.length,
    hopMs: hop.through - hop.direct,
    ...{ directMs: hop.direct, throughMs: hop.through, httpMs: hop.http },
    decisionUs: decisionUs(),
    slowdown: slow,
    routes: await routesOf(fleet.entries),
  };
  const bars: readonly (readonly [string, boolean])[] = [
    ["no failed request", figures.failed === 0],
    ["price ≤ 1.05 × oracle", figures.byOracle <= 1.05],
    ["≥ 43 % below a third each", figures.belowUniform >= 0.43],
    ["extra attempts ≤ 5 %", figures.extraAttempts <= 0.05],
    ["a hop ≤ 2 ms", figures.hopMs <= 2],
    ["a decision ≤ 20 µs", figures.decisionUs <= 20],
  ];
  const missed = bars.flatMap(([bar, holds]) => (holds ? [] : [bar]));
  if (values.json)
    console.log(JSON.stringify({ ...figures, missed, disturbances, failures: failed.slice(0, 10) }, null, 2));
  else {
    const percent = (part: number) => `${(100 * part).toFixed(1)} %`;
    const ms = (time: number) => `${time.toFixed(2)} ms`;
    console.log(
      `${figures.requests} requests in ${seconds} s, ${disturbances.length} disturbances: ${failed.length} failed`,
    );
    console.log(
      `price: ${figures.usdPerMillion.toFixed(2)} $ a million, ${figures.byOracle.toFixed(2)} × oracle, ${percent(figures.belowUniform)} below a third each`,
    );
    const { boards, spot, onDemand } = figures.shares;
    console.log(`answered by boards ${percent(boards)}, spot ${percent(spot)}, on demand ${percent(onDemand)}`);
    console.log(
      `latency: p50 ${ms(figures.p50Ms)}, p95 ${ms(figures.p95Ms)}, p99 ${ms(figures.p99Ms)}; extra attempts ${percent(figures.extraAttempts)}`,
    );
    console.log(
      `a hop: ${ms(figures.hopMs)} (${ms(hop.direct)} without, ${ms(hop.through)} with); HTTP alone between two processes: ${ms(hop.http)}`,
    );
    console.log(`a decision among 20: ${figures.decisionUs.toFixed(1)} µs of CPU time`);
    const routes = Object.entries(figures.routes).map(([route, count]) => `${route} ${count}`);
    console.log(`routes: ${routes.join(", ")}`);
    for (const failure of failed.slice(0, 5)) console.log(`failed: ${failure.slice(0, 200)}`);
    if (missed.length > 0) console.log(`missed: ${missed.join(", ")}`);
  }
  if (slow > reliableBelow)
    console.error(
      `not reliable: things take ${slow.toFixed(1)} times as long here as on an idle machine (price, failures and extra attempts too: late answers change routes)`,
    );
  if (missed.length > 0) process.exitCode = 1;
} finally {
  await fleet.dispose();
}
