/** See scripts/bench/refusals. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openState } from "#agent/open-state.ts";
import { createStoredText } from "#agent/stored-text.ts";
import { makeIssuedKey } from "#platform/http/guard/issued-key.ts";
import { createLogger } from "#platform/log.ts";
import type { FleetAccess } from "#protocol/messages.ts";
import { createTextSource } from "#tools/load/load-texts.ts";
import { temporaryDirectory } from "../../test/e2e/program.ts";
import { median } from "./median.ts";
import { printRows } from "./print-rows.ts";
import { cpuSeconds, hostBinary, startAgent } from "./start-agent.ts";

const { values } = parseArgs({
  options: {
    binary: { type: "string", default: hostBinary },
    seconds: { type: "string", default: "4" },
    inputs: { type: "string", default: "60" },
    json: { type: "boolean", default: false },
  },
});
const rounds = 3;
const inputs = Number(values.inputs);
/** Refusals of a tenant are delayed by up to a second each: more connections make enough of them. */
const connections = { refused: 400, cached: 8, computed: 2 } as const;
type Kind = keyof typeof connections;

const keys = { refused: makeIssuedKey("embed"), open: makeIssuedKey("embed") };
const open = { suspended: false, models: null, regions: null };
const access: FleetAccess = {
  ...{ v: 1, sentAtMs: Date.now() },
  tenants: [
    { ...open, tenant: "refused", limits: { requests: 0, texts: null, tokens: null } },
    { ...open, tenant: "open" },
  ],
  keys: Object.entries(keys).map(([tenant, { id, hash }]) => ({ id, hash, tenant, expiresAtMs: null })),
};
const directory = temporaryDirectory();
const database = openState(join(directory.path, "agent.db"), createLogger("bench", "silent"), Date.now());
createStoredText(database, "access").save(JSON.stringify(access));
database.close();
const agent = await startAgent(values.binary, { directory, config: { serving: { grpc: { enabled: false } } } });

const next = createTextSource({ length: "medium", seed: 1 });
const texts = () => Array.from({ length: inputs }, next);
const known = texts();

/** Part of a processor that the service takes without requests; it is no request's. */
let idleShare = 0;

/** Sends requests for a while; returns the service's processor time for one, in microseconds. */
async function measure(kind: Kind, ms: number): Promise<number> {
  const wanted = kind === "refused" ? 429 : 200;
  const key = kind === "refused" ? keys.refused.text : keys.open.text;
  const untilMs = performance.now() + ms;
  let answers = 0;
  const before = cpuSeconds(agent.pid);
  const startedMs = performance.now();
  const client = async () => {
    while (performance.now() < untilMs) {
      const body = JSON.stringify({ input: kind === "computed" ? texts() : known, encoding_format: "base64" });
      const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
      const answer = await fetch(`${agent.url}/v1/embeddings`, { method: "POST", headers, body });
      await answer.arrayBuffer();
      if (answer.status === wanted) answers += 1;
      // A busy machine's queue may be full.
      else if (kind === "refused") throw new Error(`expected ${wanted}, got ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: connections[kind] }, client));
  const idle = (idleShare * (performance.now() - startedMs)) / 1_000;
  return ((cpuSeconds(agent.pid) - before - idle) * 1e6) / answers;
}

try {
  // Until the cache has them.
  while (!Number.isFinite(await measure("cached", 1_000))) await Bun.sleep(100);
  const idleBefore = cpuSeconds(agent.pid);
  await Bun.sleep(4_000);
  idleShare = (cpuSeconds(agent.pid) - idleBefore) / 4;
  const results: Record<Kind, number[]> = { refused: [], cached: [], computed: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const kind of Object.keys(results) as Kind[])
      results[kind].push(await measure(kind, 1_000 * Number(values.seconds)));
  const us = Object.fromEntries(Object.entries(results).map(([kind, all]) => [kind, Math.round(median(all))]));
  const ratio = Math.round((100 * median(results.refused)) / median(results.cached)) / 100;
  printRows([{ "texts a request": inputs, ...us, unit: "µs of the service", "refused by cached": ratio }], values.json);
  if (ratio > 1) process.exitCode = 1;
} finally {
  await agent.stop();
}
