import { Database } from "bun:sqlite";
import { beforeEach, expect, test } from "bun:test";
import { AuditLog, type AuditSource } from "#controller/audit/audit-log.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { Store } from "#controller/store/store.ts";
import { createLogger } from "#platform/log.ts";
import { createMemoryStore } from "../memory-store.ts";

const log = createLogger("test", "silent");
const source: AuditSource = { name: "key aaaaaaaa (root)", role: "admin", from: "192.0.2.7", reason: "a drill" };
const change = { action: "freeze.set", target: "default", before: { a: 1 } };
let store: Store;
let audit: AuditLog;

beforeEach(() => {
  store = createMemoryStore();
  audit = new AuditLog({ store, nowMs: () => 1000.4, log });
});

const entries = async () => (await store.auditEntries(0, 100)).map(({ entry }) => entry);

test("a change has an entry before it is made and one with what came of it", async () => {
  const seenByAct: unknown[] = [];
  const result = await audit.change(
    source,
    change,
    async () => {
      seenByAct.push(...(await entries()));
      return { b: 2, secret: "s" };
    },
    ({ b }) => ({ b }),
  );
  expect(result).toEqual({ b: 2, secret: "s" });
  const common = {
    ...{ atMs: 1000, actor: source.name, role: "admin", from: "192.0.2.7", action: "freeze.set", target: "default" },
    ...{ before: { a: 1 }, reason: "a drill" },
  };
  expect(seenByAct).toMatchObject([{ ...common, seq: 1, phase: "begun", of: null, after: null }]);
  expect(await entries()).toMatchObject([
    { ...common, seq: 1 },
    { ...common, seq: 2, phase: "done", of: 1, after: { b: 2 } },
  ]);
});

test("a change that fails is recorded with why, and fails for its caller", async () => {
  const failing = audit.change(source, change, () => Promise.reject(new Error("the broker is away")));
  await expect(failing).rejects.toThrow("the broker is away");
  expect((await entries())[1]).toMatchObject({ phase: "failed", of: 1, after: { a: 1 }, reason: "the broker is away" });
});

test("what can't be recorded is not done; afterwards it works again", async () => {
  const { appendAudit } = store;
  store.appendAudit = () =>
    Promise.reject(Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" }));
  let acted = 0;
  const act = async () => {
    acted += 1;
  };
  const refused = new AuditLog({ store, nowMs: () => 1, log });
  await expect(refused.change(source, change, act)).rejects.toMatchObject({
    code: "AUDIT_UNAVAILABLE",
    message: "the audit log can't be written, so nothing was changed",
  });
  expect({ acted, failures: refused.failures(), isFailing: refused.isFailing }).toEqual({
    acted: 0,
    failures: 1,
    isFailing: true,
  });
  store.appendAudit = appendAudit;
  await refused.change(source, change, act);
  expect({ acted, failures: refused.failures(), isFailing: refused.isFailing }).toEqual({
    acted: 1,
    failures: 1,
    isFailing: false,
  });
});

test("a disk that is full refuses the change", async () => {
  const database = new Database(":memory:", { strict: true });
  for (const statements of controllerMigrations) database.run(statements);
  const { page_count: pages } = database.query<{ page_count: number }, []>("PRAGMA page_count").get() ?? {
    page_count: 0,
  };
  database.run(`PRAGMA max_page_count = ${pages}`);
  const full = new AuditLog({ store: createSqliteStore(database), nowMs: () => 1, log });
  const large = { ...change, before: "b".repeat(4000) };
  let acted = 0;
  const act = async () => {
    acted += 1;
  };
  // One entry may still find room in a page that is not full.
  const changes = [1, 2, 3].map(() =>
    full.change(source, large, act).then(
      () => "made",
      ({ code }) => code,
    ),
  );
  expect((await Promise.all(changes)).at(-1)).toBe("AUDIT_UNAVAILABLE");
  expect(acted).toBeLessThan(3);
  database.close();
});

test("an outcome that can't be recorded is counted, and the change stands", async () => {
  const { appendAudit } = store;
  const act = async () => {
    store.appendAudit = () => Promise.reject(new Error("disk full"));
    return "made";
  };
  expect(await audit.change(source, change, act)).toBe("made");
  expect({ failures: audit.failures(), isFailing: audit.isFailing }).toEqual({ failures: 1, isFailing: true });
  store.appendAudit = appendAudit;
});

test("a change's own reason goes before the caller's; texts are cleaned and long states are cut", async () => {
  const hostile = { ...source, name: `\u001b[2J${"n".repeat(300)}`, from: "f".repeat(100) };
  const large = { action: "x", target: "t".repeat(300), before: "b".repeat(5000), reason: "stocktaking\n" };
  await audit.change(hostile, large, async () => undefined);
  const entry = (await entries())[0];
  expect(entry).toMatchObject({ reason: "stocktaking ", target: "t".repeat(200), from: "f".repeat(64) });
  expect(entry?.actor).toStartWith(" [2Jn");
  expect(entry?.actor).toHaveLength(200);
  expect(entry?.before).toEqual({ beginning: `"${"b".repeat(4095)}` });
});
