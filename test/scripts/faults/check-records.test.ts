import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { MinuteData } from "#protocol/messages.ts";
import { checkRecords, wrongDecisions } from "../../../scripts/faults/check-records.ts";
import { temporaryDirectory } from "../../e2e/program.ts";
import { aMinute } from "../../fakes/builders.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let agent: Database;
let controller: Database;
let store: ReturnType<typeof createSqliteStore>;
const open = (path: string, migrations: readonly string[]) => {
  const database = new Database(path, { create: true, strict: true });
  for (const migration of migrations) database.run(migration);
  return database;
};

beforeEach(() => {
  directory = temporaryDirectory();
  mkdirSync(join(directory.path, "thor-1"));
  agent = open(join(directory.path, "thor-1", "agent.db"), agentStateMigrations);
  controller = open(join(directory.path, "controller.db"), controllerMigrations);
  store = createSqliteStore(controller);
});
afterEach(() => {
  agent.close();
  controller.close();
  directory.remove();
});

const record = ({ bootId, seq, traffic }: MinuteData) =>
  agent
    .query("INSERT INTO minute_traffic VALUES (?, ?, ?, ?, 0, ?, 1)")
    .run(bootId, seq, traffic.minuteStartMs, traffic.observedMs, JSON.stringify(traffic));
const minuteOf = (seq: number, requests = 600) => aMinute({ seq, minuteStartMs: seq * 60_000, requests });
const check = () =>
  checkRecords(
    [{ agentId: "thor-1", stateDir: join(directory.path, "thor-1") }],
    [join(directory.path, "controller.db")],
  );

test("what is stored as it was recorded, or set aside, is in order", async () => {
  for (const seq of [1, 2, 3]) record(minuteOf(seq));
  for (const seq of [1, 2]) await store.insertMinute(minuteOf(seq));
  await store.setAside(minuteOf(3), "starts ahead of this controller's clock", 0, 100);
  expect(check()).toEqual({ recorded: 3, stored: 2, setAside: 1, lost: [], doubled: [], changed: [] });
});

test("what is missing, of another figure, under two names or beyond a minute a minute is told", async () => {
  for (const seq of [1, 2]) record(minuteOf(seq));
  await store.insertMinute(minuteOf(2, 599));
  await store.insertMinute(minuteOf(9));
  await store.insertMinute({ ...minuteOf(2), bootId: "another boot" });
  const { lost, doubled, changed } = check();
  expect(lost).toEqual([expect.stringContaining("boot-1/1 ")]);
  expect(changed).toEqual([expect.stringMatching(/boot-1\/2 .*599 texts of 600/)]);
  expect(doubled).toEqual([expect.stringContaining("120000 ms"), expect.stringContaining("boot-1/9: no such record")]);
});

test("a boot whose clock was wrong lived through minutes that others had, and doubles none", async () => {
  record(minuteOf(2));
  await store.insertMinute(minuteOf(2));
  await store.insertMinute({ ...minuteOf(2), bootId: "an hour behind" });
  const agents = [{ agentId: "thor-1", stateDir: join(directory.path, "thor-1") }];
  const controllers = [join(directory.path, "controller.db")];
  expect(checkRecords(agents, controllers).doubled).toHaveLength(1);
  expect(checkRecords(agents, controllers, new Set(["an hour behind"])).doubled).toEqual([]);
});

const decision = (missingData: string[], stoodBy: string[], activated: string[] = []) =>
  store.insertDecision({
    ...{ atMs: 1, kind: "scale-in", rule: "peak", reason: "", agents: [] },
    inputs: { missingData, candidates: ["a", "b"].map((agentId) => ({ agentId, active: true })) },
    outcome: { activated, stoodBy, skipped: [] },
  });
const limits = { minReplicas: 1, maxReplicas: 2 };
const wrong = () => wrongDecisions([join(directory.path, "controller.db")], limits);

test("a decision within the limits on a whole picture is right", async () => {
  await decision([], ["a"]);
  await decision(["b"], []);
  expect(wrong()).toEqual([]);
});

test("standby on missing data and numbers beyond the limits are told", async () => {
  await decision(["b"], ["a"]);
  await decision([], ["a", "b"]);
  await decision([], [], ["c"]);
  expect(wrong()).toEqual([
    expect.stringContaining("a put on standby while data of b were missing"),
    expect.stringContaining("0 left active"),
    expect.stringContaining("3 active"),
  ]);
});
