import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "#agent/agent.ts";
import { parseAgentConfig } from "#agent/check-config.ts";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { tenantsCommand } from "#cli/access/tenants.ts";
import { readBrokerKey } from "#controller/broker/broker-key.ts";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import type { TenantJobView } from "#controller/privacy/tenant-jobs.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import type { TenantReceipt } from "#controller/store/store.ts";
import { openDatabase } from "#platform/files/open-database.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import { dataMap } from "#tools/data-map/data-map.ts";
import { quietController } from "../../controller/quiet-controller.ts";
import { eventually } from "../../e2e/program.ts";
import { agentLogin } from "../../fakes/broker-clients.ts";
import { aBirth, aMinute, aModel, aPower, aPresence, aTraffic } from "../../fakes/builders.ts";

// A controller and two agents in one process, the second of which is offline at first. Each store is given data of tenant red before.
const directory = mkdtempSync(join(tmpdir(), "thormesh-erasure-"));
const controllerDir = join(directory, "controller");
const log = createLogger("test", "silent");
const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs;
let controller: Controller;
const agents = new Map<string, Agent>();

const counts = (tenant: string, texts: number) => ({ tenant, requests: 1, texts, tokens: 10, computeMs: 1 });
/** A minute with requests of red, blue and the default tenant. */
const aNamedMinute = (agentId: string, seq: number, minutesAgo: number) =>
  aMinute({
    ...{ agentId, bootId: "boot-0", seq, minuteStartMs: nowMs - minutesAgo * minuteMs },
    traffic: aTraffic({
      minuteStartMs: nowMs - minutesAgo * minuteMs,
      models: [{ ...aModel("mini", 3), tenants: [counts("red", 1), counts("blue", 1), counts("default", 1)] }],
    }),
    power: aPower({ activeJ: 3, models: [{ model: "mini", energyJ: 3, tenants: [{ tenant: "red", energyJ: 3 }] }] }),
  });

/** Puts red's data into each table that can name a tenant; a new one in the data map fails until it is here. */
const planters: Readonly<Record<string, () => Promise<void> | void>> = {
  "controller.db/minute": () => inStore((store) => store.insertMinute(aNamedMinute("thor-1", 1, 9))),
  "controller.db/cost_work": () => {
    const database = openDatabase(join(controllerDir, "controller.db"), controllerMigrations, log, nowMs);
    const startMs = Math.floor(nowMs / 3_600_000) * 3_600_000 - 3_600_000;
    database.run(
      "INSERT INTO cost_device VALUES (3600000, ?, 'thor-1', 'eu', 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, '', '', 0)",
      [startMs],
    );
    for (const agentId of ["thor-1", ""])
      for (const tenant of ["red", "blue"])
        database.run(
          "INSERT INTO cost_work VALUES (3600000, ?, ?, 'eu', ?, 'mini', 5, 6, 0, 0, 0.5, 100, 3, 30, 'thor-1')",
          [startMs, agentId, tenant],
        );
    database.close();
  },
  "controller.db/kept": () =>
    inStore(async (store) => {
      const budget = (id: string, name: string) => ({
        ...{ id, scope: { kind: "tenant", name }, period: "daily", amountUsd: 5 },
        actions: [{ atPercent: 80, action: "notify" }],
      });
      await store.saveKept("budgets", { budgets: [budget("one", "red"), budget("two", "blue")] });
      const labels = [{ name: "tenant", value: "red" }];
      const times = { sinceMs: nowMs, untilMs: nowMs + dayMs };
      await store.saveKept("quota-parts", { red: { month: { name: "2026-11", otherPart: 0.5, agents: {} } } });
      await store.saveKept("alerts", {
        ...{ alerts: [], told: [] },
        silences: [{ id: "s", rule: null, labels, reason: "known", by: "root", ...times }],
      });
    }),
  "controller.db/decision": () =>
    inStore((store) =>
      store.insertDecision({
        ...{ atMs: nowMs, kind: "spending", rule: "limit", reason: "budget one of tenant red is spent" },
        ...{ agents: [], inputs: { tenant: "red" }, outcome: { activated: [], stoodBy: [], skipped: [] } },
      }),
    ),
  "controller.db/set_aside": () =>
    inStore((store) => store.setAside(aNamedMinute("thor-1", 2, 8), "for a test", nowMs, 10)),
  "controller.db/tenant": () =>
    inStore((store) =>
      store.saveTenant({
        ...{ id: "red", createdAtMs: nowMs },
        settings: { suspended: false, models: null, regions: ["eu"], costCentre: "4711" },
      }),
    ),
  "controller.db/api_key": () =>
    inStore((store) =>
      store.saveKey({
        ...{
          id: "redredre",
          name: "line 1",
          role: "embed",
          hash: "ab".repeat(32),
          createdAtMs: nowMs,
          tenant: "red",
        },
        ...{ expiresAtMs: null, revokedAtMs: null, lastUsedAtMs: null, replaces: null },
      }),
    ),
  "controller.db/audit": () =>
    inStore((store) =>
      store.appendAudit({
        ...{ atMs: nowMs, actor: "root", role: "admin", from: "local", action: "tenants.create", target: "red" },
        ...{ phase: "done", of: null, before: null, after: { id: "red" }, reason: null },
      }),
    ),
  // The jobs of this test themselves.
  "controller.db/tenant_job": () => undefined,
  "agent.db/minute_traffic": () =>
    inState((database, agentId) => {
      const { traffic } = aNamedMinute(agentId, 3, 7);
      database.run(
        "INSERT INTO minute_traffic (boot_id, seq, minute_start_ms, observed_ms, texts, traffic, queued) VALUES ('boot-0', 3, ?, 60000, 3, ?, 1)",
        [traffic.minuteStartMs, JSON.stringify(traffic)],
      );
    }),
  "agent.db/outbox": () =>
    inState((database, agentId) => {
      const payload = JSON.stringify({ ...aNamedMinute(agentId, 4, 6), historical: true });
      database.run("INSERT INTO outbox (boot_id, created_ms, bytes, payload) VALUES ('boot-0', ?, ?, ?)", [
        ...[nowMs - 6 * minuteMs, payload.length, payload],
      ]);
    }),
  "agent.db/document": () =>
    inState((database) => {
      const tenant = { tenant: "red", suspended: false, models: null, regions: null };
      database.run("INSERT INTO document (name, content) VALUES ('access', ?)", [
        JSON.stringify({ v: 1, sentAtMs: 1, tenants: [tenant], keys: [] }),
      ]);
      const used = { requests: 1, texts: 1, tokens: 1 };
      database.run("INSERT INTO document (name, content) VALUES ('quota-use', ?)", [
        JSON.stringify({ v: 1, tenants: { red: { month: { name: "2026-11", used } } } }),
      ]);
    }),
};

async function inStore(work: (store: ReturnType<typeof openRecords>["store"]) => Promise<unknown>): Promise<void> {
  const { store } = openRecords(controllerDir, nowMs, log);
  await work(store);
  await store.close();
}

function inState(work: (database: Database, agentId: string) => void): void {
  for (const agentId of ["thor-1", "thor-2"]) {
    const database = openDatabase(join(directory, agentId, "agent.db"), agentStateMigrations, log, nowMs);
    work(database, agentId);
    database.close();
  }
}

async function startAgent(id: string): Promise<void> {
  const { password } = agentLogin(id, "default", readBrokerKey(controllerDir) as Uint8Array);
  const agent = new Agent(
    parseAgentConfig(
      {
        ...{ id, stateDir: join(directory, id), logLevel: "silent" },
        broker: { url: controller.brokerUrl, password },
        serving: { port: 0, model: "none", stopAnnounceMs: 0, grpc: { enabled: false } },
        ...{ mesh: { forward: "never" }, power: { board: "none" } },
      },
      "the test",
    ),
  );
  await agent.start();
  agents.set(id, agent);
}

async function call(method: string, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${controller.url}/api/v1/${path}`, { method });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
const jobOf = async (id: string) => (await call("GET", `tenant-jobs/${id}`)).body["job"] as TenantJobView;
const receiptsOf = async (id: string) =>
  (await call("GET", `tenant-jobs/${id}?limit=1000`)).body["receipts"] as TenantReceipt[];
const begin = async (kind: string) => (await call("POST", `tenants/red/${kind}`)).body["job"] as TenantJobView;

/** Rows of all tables of a database in which a text occurs, by table. */
function rowsWith(path: string, text: string): Record<string, number> {
  const database = new Database(path, { readonly: true });
  const tables = database.query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  const found = tables.flatMap(({ name }) => {
    const rows = database.query(`SELECT * FROM "${name}"`).all();
    const count = rows.filter((row) => new RegExp(`\\b${text}\\b`).test(JSON.stringify(row))).length;
    return count === 0 ? [] : [[name, count]];
  });
  database.close();
  return Object.fromEntries(found);
}

beforeAll(async () => {
  mkdirSync(controllerDir, { recursive: true, mode: 0o700 });
  await inStore(async (store) => {
    for (const agentId of ["thor-1", "thor-2"]) {
      const identity = { agentId, sentAtMs: nowMs };
      const presence = aPresence({ ...identity, status: "offline" });
      await store.saveAgent({ agentId, presence, birth: aBirth(identity), reported: null, lastHeardMs: nowMs });
    }
  });
  for (const plant of Object.values(planters)) await plant();
  controller = quietController(controllerDir);
  await controller.start();
  await startAgent("thor-1");
});
afterAll(async () => {
  for (const agent of agents.values()) await agent.stop();
  await controller.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("each table that can name a tenant was given red's data", () => {
  const named = dataMap.filter(({ kind, tenant }) => kind === "table" && tenant !== "none").map(({ id }) => id);
  expect(Object.keys(planters).sort()).toEqual(named.sort());
  expect(Object.keys(rowsWith(join(directory, "thor-2", "agent.db"), "red")).sort()).toEqual([
    ...["document", "minute_traffic", "outbox"],
  ]);
});

test("an export holds red's data of every store, nothing of others, and waits for the agent that is offline", async () => {
  const out = join(directory, "export");
  expect(await tenantsCommand.run({ url: controller.url, out }, ["export", "red"])).toBe(0);
  const read = (name: string) => readFileSync(join(out, name), "utf8");
  const { job, files } = JSON.parse(read("manifest.json")) as {
    job: TenantJobView;
    files: { store?: string; file: string; records: number; sha256: string }[];
  };
  expect(job).toMatchObject({ kind: "export", tenant: "red", state: "under way" });
  for (const { file, records, sha256 } of files) {
    expect(new Bun.CryptoHasher("sha256").update(read(file)).digest("hex")).toBe(sha256);
    expect(read(file).split("\n").length - 1).toBe(records);
    expect(read(file)).not.toContain("blue");
    expect(read(file)).not.toContain("abababab");
  }
  expect(JSON.parse(read("tenant.jsonl"))).toMatchObject({ id: "red", settings: { costCentre: "4711" } });
  expect(JSON.parse(read("api_key.jsonl"))).toMatchObject({ id: "redredre" });
  const usage = { agentId: "thor-1", model: "mini", texts: 1, energyJ: 3 };
  const firstOf = (name: string): unknown => JSON.parse(read(name).split("\n")[0] ?? "");
  expect(firstOf("minute.jsonl")).toMatchObject(usage);
  expect(firstOf("set_aside.jsonl")).toMatchObject(usage);
  expect(firstOf("cost_work.jsonl")).toMatchObject({
    span: "hour",
    model: "mini",
    requests: 3,
    usedUsd: "0.000005000006",
  });
  expect(read("audit.jsonl")).toContain("tenants.create");
  const exported = dataMap.filter(({ of, kind, exported: is }) => of === "controller" && kind === "table" && is);
  expect(files.flatMap(({ store = [] }) => store).sort()).toEqual(exported.map(({ id }) => id).sort());
  const waiting = await eventually(
    () => jobOf(job.id),
    ({ waitingFor }) => waitingFor.length === 1,
  );
  expect(waiting).toMatchObject({ waitingFor: ["thor-2"], state: "under way" });
});

test("an erasure goes on over restarts until every agent has answered; then red is nowhere but in the audit log", async () => {
  const job = await begin("erase");
  expect(await begin("erase")).toMatchObject({ id: job.id });
  const isLeft = ({ waitingFor }: TenantJobView) => waitingFor.join() === "thor-2";
  await eventually(() => jobOf(job.id), isLeft);
  expect(await call("POST", "tenants/red/export")).toMatchObject({ status: 409 });
  const ownReceipt = async () => (await receiptsOf(job.id)).find(({ of }) => of === "thor-1");
  const before = await ownReceipt();

  await controller.stop();
  controller = quietController(controllerDir);
  await controller.start();
  await agents.get("thor-1")?.stop();
  await startAgent("thor-1");
  expect(await jobOf(job.id)).toMatchObject({ state: "under way", waitingFor: ["thor-2"], tenant: "red" });
  expect(await ownReceipt()).toEqual(before as TenantReceipt);

  await startAgent("thor-2");
  const done = await eventually(
    () => jobOf(job.id),
    ({ state }) => state === "done",
  );
  const { pseudonym } = done;
  expect(done).toMatchObject({ tenant: pseudonym, waiting: 0 });
  const exported = await eventually(
    async () => (await call("GET", "tenant-jobs")).body["jobs"] as TenantJobView[],
    (jobs) => jobs.every(({ state }) => state === "done"),
  );
  expect(exported.map(({ kind, tenant }) => `${kind} of ${tenant}`)).toEqual([
    `erase of ${pseudonym}`,
    `export of ${pseudonym}`,
  ]);

  const receipts = await receiptsOf(job.id);
  expect(receipts.map(({ of, state }) => `${of} ${state}`)).toEqual([
    "(controller) done",
    "thor-1 done",
    "thor-2 done",
  ]);
  for (const { of, stores } of receipts) {
    const listed = dataMap.filter(
      (each) => each.of === (of === "(controller)" ? "controller" : "agent") && each.tenant !== "none",
    );
    expect(stores.map(({ store, fate }) => `${store}: ${fate}`).sort()).toEqual(
      listed.map(({ id, tenant }) => `${id}: ${tenant}`).sort(),
    );
  }
  const recordsOf = (of: string, store: string) =>
    receipts.find((each) => each.of === of)?.stores.find((each) => each.store === store)?.records;
  expect(recordsOf("(controller)", "controller.db/set_aside")).toBe(1);
  expect(recordsOf("(controller)", "controller.db/decision")).toBe(1);
  expect(recordsOf("(controller)", "controller.db/tenant")).toBe(1);
  expect(recordsOf("(controller)", "controller.db/kept")).toBe(2);
  expect(recordsOf("(controller)", "controller.db/api_key")).toBe(1);
  expect(recordsOf("thor-2", "agent.db/minute_traffic")).toBe(1);

  // The waiting record of the agent that was offline has come, under the pseudonym.
  const rows = async () => rowsWith(join(controllerDir, "controller.db"), pseudonym);
  await eventually(
    () => rows(),
    (found) => (found["minute"] ?? 0) >= 2,
  );
  for (const agent of agents.values()) await agent.stop();
  agents.clear();
  await controller.stop();
  const kept = dataMap.filter(({ kind, tenant }) => kind === "table" && tenant === "kept").map(({ id }) => id);
  expect(kept).toEqual(["controller.db/audit"]);
  expect(Object.keys(rowsWith(join(controllerDir, "controller.db"), "red"))).toEqual(["audit"]);
  // Nothing that is kept links the pseudonym to the name.
  expect(Object.keys(rowsWith(join(controllerDir, "controller.db"), pseudonym))).not.toContain("audit");
  for (const id of ["thor-1", "thor-2"]) expect(rowsWith(join(directory, id, "agent.db"), "red")).toEqual({});
  for (const folder of [controllerDir, join(directory, "thor-1"), join(directory, "thor-2")])
    for (const name of readdirSync(folder).filter((each) => each.includes(".db")))
      expect({ name, has: readFileSync(join(folder, name), "latin1").includes('"tenant":"red"') }).toEqual({
        ...{ name, has: false },
      });
  expect(rowsWith(join(controllerDir, "controller.db"), "blue")).toMatchObject({ kept: 1, minute: expect.any(Number) });
  controller = quietController(controllerDir);
  await controller.start();
});
