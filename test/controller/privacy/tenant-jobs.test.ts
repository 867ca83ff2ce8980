import { beforeEach, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { KeyRing } from "#controller/access/key-ring.ts";
import { TenantShares } from "#controller/access/tenant-shares.ts";
import { Tenants } from "#controller/access/tenants.ts";
import { unknownAgent } from "#controller/fleet/agent-state.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { ControllerTenantData } from "#controller/privacy/controller-tenant-data.ts";
import { TenantExport } from "#controller/privacy/tenant-export.ts";
import { TenantJobs } from "#controller/privacy/tenant-jobs.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { dayMs, minuteMs } from "#platform/time.ts";
import type { TenantReceipts } from "#protocol/messages.ts";
import { aMinute, aModel, aReported, aTraffic } from "../../fakes/builders.ts";
import { createMemoryStore } from "../memory-store.ts";

const log = createLogger("test", "silent");
let nowMs = 0;
let store: Store;
let fleet: ReturnType<typeof createFleet>;
let keys: KeyRing;
let tenants: Tenants;
let shares: TenantShares;
let data: ControllerTenantData;
let jobs: TenantJobs;

const jobsOn = () => {
  data = new ControllerTenantData({ store, fleet, tenants, keys, shares });
  return new TenantJobs({ store, fleet, data, nowMs: () => nowMs, log });
};
const counts = (tenant: string) => ({ tenant, requests: 1, texts: 1, tokens: 10, computeMs: 1 });
const minuteOf = (names: readonly string[], seq = 1) =>
  aMinute({
    seq,
    traffic: aTraffic({
      minuteStartMs: seq * minuteMs,
      models: [{ ...aModel("mini", names.length), tenants: names.map(counts) }],
    }),
  });
const answer = (agentId: string, tenantJobs: TenantReceipts) =>
  fleet.put({ ...(fleet.get(agentId) ?? unknownAgent(agentId, nowMs)), reported: aReported({ agentId, tenantJobs }) });
const receipt = (id: string) => [{ id, atMs: nowMs, stores: [] }];
const erase = async (tenant = "red") => {
  const { id } = await jobs.begin("erase", tenant);
  await jobs.run();
  return id;
};

beforeEach(() => {
  nowMs = 10 * dayMs;
  store = createMemoryStore();
  fleet = createFleet();
  keys = new KeyRing({ store, nowMs: () => nowMs, log, hasOtherKeys: false });
  tenants = new Tenants({ store, nowMs: () => nowMs });
  shares = new TenantShares(() => 1);
  jobs = jobsOn();
  for (const agentId of ["a", "b"]) fleet.put(unknownAgent(agentId, nowMs));
});

test("a job waits for every agent that was known, and for no other; a retired one is noted", async () => {
  const id = await erase();
  fleet.put(unknownAgent("later", nowMs));
  expect(jobs.view(id)).toMatchObject({ state: "under way", agents: 2, waiting: 2, waitingFor: ["a", "b"] });
  answer("a", receipt("otherjob"));
  await jobs.run();
  expect(jobs.view(id).waitingFor).toEqual(["a", "b"]);
  answer("a", receipt(id));
  fleet.remove("b");
  await jobs.run();
  expect(jobs.view(id)).toMatchObject({ state: "done", waiting: 0, doneMs: nowMs });
  expect((await jobs.receipts(id, "", 9)).map(({ of, state }) => [of, state])).toEqual([
    ["(controller)", "done"],
    ["a", "done"],
    ["b", "retired"],
  ]);
  expect(jobs.told()).toEqual([]);
});

test("what is told names the tenant and its pseudonym, also after a restart, until the job is done", async () => {
  const id = await erase();
  const told = { id, kind: "erase" as const, tenant: "red", pseudonym: jobs.view(id).pseudonym };
  answer("a", receipt(id));
  await jobs.run();
  jobs = jobsOn();
  await jobs.load();
  expect(jobs.told()).toEqual([told]);
  expect(jobs.view(id).waitingFor).toEqual(["b"]);
});

test("records that come later get the pseudonym, until the name is a new tenant's", async () => {
  const id = await erase();
  const { pseudonym } = jobs.view(id);
  expect(jobs.nameOf("red")).toBe(pseudonym);
  for (const agentId of ["a", "b"]) answer(agentId, receipt(id));
  await jobs.run();
  jobs = jobsOn();
  await jobs.load();
  expect(JSON.stringify(await store.loadTenantJobs())).not.toContain('"red"');
  expect([jobs.nameOf("red"), jobs.nameOf("blue"), jobs.nameOf("default")]).toEqual([pseudonym, "blue", "default"]);
  await jobs.reuseName("red");
  expect(jobs.nameOf("red")).toBe("red");
});

test("what agents had under way when the controller erased its part is erased at the end", async () => {
  await store.insertMinute(minuteOf(["red", "blue"], 1));
  const id = await erase();
  await store.insertMinute(minuteOf(["red"], 2));
  for (const agentId of ["a", "b"]) answer(agentId, receipt(id));
  await jobs.run();
  const names: string[] = [];
  for await (const { traffic } of store.minutes(0, nowMs))
    names.push(...traffic.models.flatMap(({ tenants: of = [] }) => of.map(({ tenant }) => tenant)));
  const { pseudonym } = jobs.view(id);
  expect(names.sort()).toEqual(["blue", pseudonym, pseudonym].sort());
  const own = (await jobs.receipts(id, "", 9)).find(({ of }) => of === "(controller)");
  expect(own?.stores.find(({ store: name }) => name === "controller.db/minute")?.records).toBe(2);
});

test("minutes in memory and the tenant's shares are erased, too", async () => {
  fleet.put({ ...unknownAgent("a", nowMs), recent: [minuteOf(["red"]), minuteOf(["blue"])] });
  shares.add(minuteOf(["red"]));
  await erase();
  expect(JSON.stringify(fleet.agents())).not.toContain('"red"');
  expect(JSON.stringify(fleet.agents())).toContain('"blue"');
  expect(shares.of("red").shares).toEqual([]);
});

test("documents of other parts are erased, and what is left of people's texts is said", async () => {
  await store.saveKept("a-part", { name: "red" });
  await store.saveKept("a-note", { by: "red" });
  data.alsoErase([
    async (tenant) => {
      const kept = await store.loadKept("a-part", Type.Object({ name: Type.String() }));
      if (kept?.name !== tenant) return 0;
      await store.saveKept("a-part", { name: "nobody" });
      return 1;
    },
  ]);
  const id = await erase();
  for (const agentId of ["a", "b"]) answer(agentId, receipt(id));
  await jobs.run();
  const own = (await jobs.receipts(id, "", 9)).find(({ of }) => of === "(controller)");
  expect(own?.stores.filter(({ store: name }) => name === "controller.db/kept")).toEqual([
    { store: "controller.db/kept", fate: "removed", records: 1 },
    { store: "controller.db/kept", fate: "kept", records: 1 },
  ]);
});

test("the tenant of all others can't be erased, nor more at a time than a message holds", async () => {
  expect(jobs.begin("erase", "default")).rejects.toThrow("default is reserved for requests without a tenant");
  for (let each = 0; each < 32; each += 1) await jobs.begin("erase", `t${each}`);
  expect(jobs.begin("erase", "one-more")).rejects.toThrow("32 jobs are in progress");
  expect(() => jobs.assertNotErasing("t1")).toThrow("is being erased");
  expect(() => jobs.view("nosuchjb")).toThrow("there is no job");
});

test("a store that can't be written keeps the job open; it goes on the next time", async () => {
  const { id } = await jobs.begin("erase", "red");
  const { eraseTenant } = store;
  store.eraseTenant = () => Promise.reject(new Error("disk full"));
  await jobs.run();
  expect(jobs.view(id).waitingFor).toEqual(["(controller)", "a", "b"]);
  store.eraseTenant = eraseTenant;
  await jobs.run();
  expect(jobs.view(id).waitingFor).toEqual(["a", "b"]);
});

test("jobs that are done are removed after their time, those under way are not", async () => {
  const open = await erase("red");
  for (const agentId of ["a", "b"]) fleet.remove(agentId);
  const done = await erase("blue");
  fleet.put(unknownAgent("a", nowMs));
  expect(jobs.list().map(({ id }) => id)).toEqual([done, open]);
  expect(await jobs.prune(nowMs)).toBe(0);
  expect(await jobs.prune(nowMs + 1)).toBe(2);
  expect(await store.tenantReceipts(done, "", 9)).toEqual([]);
});

test("an export is read in pages, each minute once, and only what is the tenant's", async () => {
  for (let seq = 1; seq <= 5; seq += 1) await store.insertMinute(minuteOf(["red", "blue"], seq));
  const contents = new TenantExport({ store, tenants, keys, nowMs: () => nowMs });
  const seen: unknown[] = [];
  let pages = 0;
  for (let after: string | null = ""; after !== null; pages += 1) {
    const page = await contents.page("red", "controller.db/minute", after, 2);
    seen.push(...page.records);
    after = page.next;
  }
  expect(seen).toEqual(
    [1, 2, 3, 4, 5].map((seq) => ({
      ...{ minuteStartMs: seq * minuteMs, agentId: "thor-1", model: "mini", energyJ: null },
      ...{ requests: 1, texts: 1, tokens: 10, computeMs: 1 },
    })),
  );
  expect(pages).toBeGreaterThan(1);
  expect(contents.page("red", "controller.db/minute", "x", 1)).rejects.toThrow("after: expected next");
});
