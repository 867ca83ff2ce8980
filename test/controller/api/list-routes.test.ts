import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { createLogger } from "#platform/log.ts";
import { aDevice } from "../../fakes/identity.ts";
import { quietController } from "../quiet-controller.ts";

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-lists-"));
let controller: Controller;
const ids = ["thor-a", "thor-b", "thor-c", "thor-d", "thor-e"];

beforeAll(async () => {
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  for (const agentId of ids) await store.saveDevice(aDevice({ agentId }));
  await store.close();
  controller = quietController(stateDir);
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const get = async (path: string) => (await fetch(controller.url + path)).json() as Promise<Record<string, unknown>>;

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}
interface Operation {
  readonly parameters?: readonly { readonly name: string }[];
  readonly responses: Readonly<Record<string, { content?: Record<string, { schema?: Schema }> }>>;
}

/** Lists without a limit of their own, with what bounds them. A new one fails until it has a limit, or its bound stands here. */
const bounded: Readonly<Record<string, string>> = {
  "/api/v1/agents": "ingest.maxAgents",
  "/api/v1/agents/{id}": "minutes that are live, and 10 that were set aside",
  "/api/v1/agents/{id}/history": "720 steps",
  "/api/v1/routes": "201 backends",
  "/api/v1/alerts": "the alert monitor's maximum of alerts and silences",
  "/api/v1/decisions/rules": "1,000 kinds and rules",
  "/api/v1/decisions/{id}": "agents of one decision",
  "/api/v1/backtests": "the newest five, each of eight policies",
  "/api/v1/backtests/{id}": "eight policies, 480 steps",
  "/api/v1/overrides": "the first 1,000",
  "/api/v1/policy": "what a policy file of 1 MiB says",
  "/api/v1/prometheus/targets": "ingest.maxAgents",
  "/api/v1/slo": "windows, and 100 regions and models",
  "/api/v1/traffic": "minutes of a week",
  "/healthz": "10 of each kind",
  "/api/v1/budgets": "the maximum of budgets",
  "/api/v1/cost/chargeback": "tenants, regions and models of the month",
  "/api/v1/cost/baselines": "20 baselines",
  "/api/v1/cost/compare": "parts of a dimension, 200 of the baseline",
  "/api/v1/cost/digest": "three that moved",
  "/api/v1/savings": "two for each of 200 agents, models, and what cost.services lists",
  "/api/v1/cost/anomalies": "days of the window, and what moved them",
  "/api/v1/fleet": "minutes of one forecast",
  "/api/v1/fleet/history": "1,440 minutes",
  "/api/v1/join-tokens": "ended ones go after 30 days; the maximum of tokens",
  "/api/v1/keys": "1,000 keys",
  "/api/v1/tenants": "500 tenants",
};

test("every list has a limit, or a bound that is written down", async () => {
  const { paths } = (await get("/openapi/json")) as unknown as { paths: Record<string, Record<string, Operation>> };
  const lists = Object.entries(paths).flatMap(([path, { get: operation }]) => {
    const schema = operation?.responses["200"]?.content?.["application/json"]?.schema;
    const isList =
      schema?.type === "array" || Object.values(schema?.properties ?? {}).some(({ type }) => type === "array");
    return isList ? [{ path, names: (operation?.parameters ?? []).map(({ name }) => name) }] : [];
  });
  const limited = lists.filter(({ names }) => names.includes("limit")).map(({ path }) => path);
  expect(limited).toEqual(
    expect.arrayContaining(["/api/v1/devices", "/api/v1/decisions", "/api/v1/audit", "/api/v1/tenant-jobs"]),
  );
  const windowed = lists.filter(({ names }) => names.some((name) => name === "window" || name === "step"));
  const rest = lists
    .map(({ path }) => path)
    .filter((path) => !limited.includes(path) && !windowed.some((each) => each.path === path));
  expect(rest.filter((path) => bounded[path] === undefined)).toEqual([]);
});

test("devices come in pages, each once, by id", async () => {
  const seen: string[] = [];
  let after = "";
  for (let page = 0; page < 3; page += 1) {
    const { devices, next } = (await get(`/api/v1/devices?limit=2${after}`)) as {
      devices: { agentId: string }[];
      next: string | null;
    };
    seen.push(...devices.map(({ agentId }) => agentId));
    expect(next).toBe(page === 2 ? null : (seen.at(-1) as string));
    after = `&after=${next}`;
  }
  expect(seen).toEqual(ids);
  expect((await get("/api/v1/devices"))["devices"]).toHaveLength(ids.length);
  expect(await get("/api/v1/devices?limit=0")).toMatchObject({ error: expect.stringContaining("limit") });
  expect(await get("/api/v1/devices?after=%20")).toMatchObject({ error: expect.stringContaining("after") });
});
