/** See scripts/bench/dashboard. */
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { agentListRoutes } from "#controller/dashboard/agent-list-routes.ts";
import { FleetStreams } from "#controller/dashboard/fleet-streams.ts";
import { fleetHistoryRoutes } from "#controller/dashboard/history-routes.ts";
import { streamRoutes } from "#controller/dashboard/stream-routes.ts";
import { withRecentMinutes } from "#controller/fleet/traffic/fleet-traffic.ts";
import { createHttpApp, type HttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { neededRole } from "#platform/http/guard/roles.ts";
import { serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";
import { minuteMs, secondMs } from "#platform/time.ts";
import { eventReader } from "../../../test/fakes/event-reader.ts";
import { median } from "../median.ts";
import { printRows } from "../print-rows.ts";
import { createMemoryFleet } from "./memory-fleet.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "10000" },
    pages: { type: "string", default: "50" },
    /** Turns with pages, and as many without. */
    turns: { type: "string", default: "2" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const [agents, pages, turns] = [Number(values.agents), Number(values.pages), Number(values.turns)];
if (!(agents >= 1 && agents <= 100_000)) throw new Error(`--agents: expected 1 to 100,000, got "${values.agents}"`);
if (!(pages >= 1 && pages <= 64)) throw new Error(`--pages: expected 1 to 64, got "${values.pages}"`);
if (!(turns >= 1 && turns <= 100)) throw new Error(`--turns: expected 1 to 100, got "${values.turns}"`);
const turnMs = values.quick ? 10 * secondMs : minuteMs;
/** Time in which new pages get their first state, which is not what staying costs. */
const settleMs = 5 * secondMs;
const bars = { coreShare: 0.05, snapshotMs: 1_000, listMs: 100 };
const say = (line: string) => void process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);

const memory = createMemoryFleet(agents);
const log = createLogger("bench", "silent");
const authenticator = createAuthenticator({ apiKeys: [], log });
const streams = new FleetStreams({
  watch: memory.watch,
  isAllowed: async (request) => (await app.guardRequest(request, () => null)).kind === "pass",
});
const none = async (): Promise<never> => {
  throw new Error("the bench has no store");
};
// The parts that these routes use.
const parts = {
  ...memory,
  ...{ streams, staleAfterMs: 180_000 },
  store: withRecentMinutes({ fleetMinutes: none }, memory.fleet.traffic, memory.nowMs),
} as unknown as ApiParts;
const app: HttpApp = createHttpApp({
  about: { title: "bench", description: "bench", version: "0" },
  ...{ authenticator, log, roleOf: neededRole },
  routes: [agentListRoutes(parts), streamRoutes(parts), fleetHistoryRoutes(parts)],
});
const server = serveHttp(app, { host: "127.0.0.1", port: 0, log });

/** Share of a core that this process uses in a turn. */
async function coreShare(): Promise<number> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await Bun.sleep(turnMs);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - startMs);
}

/** Time until all of the fleet has come, ms. */
async function firstSnapshotMs(): Promise<number> {
  const startMs = performance.now();
  const reader = eventReader(await fetch(`${server.url}/api/v1/fleet/stream`));
  let event = await reader.until("change");
  while (event !== null && event.id === null) event = await reader.until("change");
  const tookMs = performance.now() - startMs;
  await reader.cancel();
  return tookMs;
}

async function askMs(path: string): Promise<number> {
  const startMs = performance.now();
  const answer = await fetch(server.url + path);
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
  return performance.now() - startMs;
}

async function medianOf(measure: (each: number) => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let each = 0; each < 9; each += 1) all.push(await measure(each));
  return Math.round(10 * median(all)) / 10;
}

try {
  say(`${agents} agents in memory; turns without and with ${pages} pages`);
  const shares: Record<"without" | "with", number[]> = { without: [], with: [] };
  for (let turn = 0; turn < turns; turn += 1) {
    shares.without.push(await coreShare());
    const opened = Bun.spawn([process.execPath, join(import.meta.dir, "open-pages.ts"), server.url, String(pages)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    await Bun.sleep(settleMs);
    if (streams.size !== pages) throw new Error(`expected ${pages} open pages, got ${streams.size}`);
    shares.with.push(await coreShare());
    opened.kill();
    await opened.exited;
    say(`${shares.without.at(-1)?.toFixed(4)} of a core without pages, ${shares.with.at(-1)?.toFixed(4)} with them`);
  }
  const [without, withPages] = [median(shares.without), median(shares.with)];
  // Each list is another one, as a list is kept for two seconds.
  const list = (each: number) => `/api/v1/agents?limit=100&sort=-qps&filter=${encodeURIComponent(`tag~rack-${each}`)}`;
  const row = {
    ...{ agents, pages },
    "core share without": without.toFixed(4),
    "core share with": withPages.toFixed(4),
    "cost of the pages": (withPages - without).toFixed(4),
    "first snapshot ms": await medianOf(firstSnapshotMs),
    "filtered list ms": await medianOf((each) => askMs(list(each))),
    "values ms": await medianOf((each) => askMs(`/api/v1/fleet/values?field=tag&part=${each}`)),
  };
  say(`on ${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`);
  printRows(values.json ? [row] : Object.entries(row).map(([figure, value]) => ({ figure, value })), values.json);
  const missed = [
    ["cost of the pages", withPages - without <= bars.coreShare],
    ["first snapshot", row["first snapshot ms"] <= bars.snapshotMs],
    ["filtered list", row["filtered list ms"] <= bars.listMs],
  ].flatMap(([name, holds]) => (holds === true ? [] : [String(name)]));
  if (missed.length > 0) {
    say(`bars missed: ${missed.join(", ")}`);
    process.exitCode = 1;
  }
} finally {
  memory.stop(streams);
  await server.stop(secondMs);
}
