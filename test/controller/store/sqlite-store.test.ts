import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import { openDatabase } from "#platform/files/open-database.ts";
import { createLogger } from "#platform/log.ts";
import { aBirth, aMinute, aPresence } from "../../fakes/builders.ts";
import { describeStore } from "./store-contract.ts";

const silent = createLogger("test", "silent");
const openAt = (path: string) => createSqliteStore(openDatabase(path, controllerMigrations, silent, 1));

describeStore("SQLite", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-store-"));
  const store = openAt(join(directory, "controller.db"));
  return {
    store,
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});

test("an agent of whom it can't be read when it was heard of counts as silent for long", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-store-"));
  const database = openDatabase(join(directory, "controller.db"), controllerMigrations, silent, 1);
  const store = createSqliteStore(database);
  const agent = { agentId: "thor-1", presence: aPresence(), birth: aBirth(), reported: null };
  await store.saveAgent({ ...agent, lastHeardMs: 5 });
  database.run("UPDATE agent SET last_heard_ms = -1");
  expect(await store.loadAgents()).toMatchObject([{ agentId: "thor-1", lastHeardMs: 0 }]);
  await store.close();
  rmSync(directory, { recursive: true });
});

test("what was kept is there after closing and opening again", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-store-"));
  const path = join(directory, "controller.db");
  const first = openAt(path);
  await first.insertMinute(aMinute({ seq: 3 }));
  await first.close();
  const second = openAt(path);
  expect(await second.lastSeq("thor-1", "boot-1")).toBe(3);
  await second.close();
  rmSync(directory, { recursive: true });
});

test("a lease that ends later than any can is nobody's", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-store-"));
  const store = openAt(join(directory, "controller.db"));
  const real = Date.now();
  await store.takeLease({ holder: "bogus", about: "", realNowMs: 4_000_000_000_000, forMs: 15_000 });
  expect(await store.takeLease({ holder: "a", about: "", realNowMs: real, forMs: 15_000 })).toBe(true);
  expect(await store.takeLease({ holder: "b", about: "", realNowMs: real + 1, forMs: 15_000 })).toBe(false);
  await store.close();
  rmSync(directory, { recursive: true });
});

test("many minutes are removed in pieces, and others get a turn between them", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thormesh-store-"));
  const database = openDatabase(join(directory, "controller.db"), controllerMigrations, silent, 1);
  const store = createSqliteStore(database);
  const left = () => database.query<{ rows: number }, []>("SELECT count(*) AS rows FROM minute").get()?.rows ?? 0;
  const startMs = 1_000 * 86_400_000;
  // Rows of one minute each, without what a real one says.
  await store.insertMinute(aMinute({ seq: 1, minuteStartMs: startMs }));
  database.run(
    `INSERT INTO minute SELECT agent_id, boot_id, seq + n, minute_start_ms + 60000 * n, texts, historical, role, traffic, power, forecast
     FROM minute, (WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 4999) SELECT n FROM many)`,
  );
  expect(left()).toBe(5_000);
  const endMs = startMs + 4_500 * 60_000;
  const pruned = store.pruneMinutes(endMs, endMs);
  expect(left()).toBe(4_500);
  expect(await pruned).toBe(4_500);
  expect(left()).toBe(500);
  await store.close();
  rmSync(directory, { recursive: true });
});
