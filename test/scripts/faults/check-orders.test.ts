import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { createSqliteStore } from "#controller/store/sqlite-store.ts";
import type { Desired } from "#protocol/messages.ts";
import { documentsOfNobody, ordersOfTwoLeaders, type SeenOrder } from "../../../scripts/faults/check-orders.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const order = (term: number, sequence: number, more: Partial<SeenOrder> = {}): SeenOrder => ({
  ...{ agentId: "thor-1", term, sequence, text: `${term}/${sequence}` },
  ...more,
});

describe("orders as they passed the broker", () => {
  test.each<{ what: string; orders: SeenOrder[]; faults: string[] }>([
    { what: "none", orders: [], faults: [] },
    {
      what: "a later run takes over and counts anew",
      orders: [order(5, 1), order(5, 2), order(7, 1), order(7, 9)],
      faults: [],
    },
    { what: "one comes once more", orders: [order(5, 1), order(5, 2), order(5, 1)], faults: [] },
    { what: "some were missed", orders: [order(5, 3), order(5, 8)], faults: [] },
    {
      what: "an earlier run goes on, for another agent",
      orders: [order(5, 1), order(7, 1), order(5, 2, { agentId: "thor-2" })],
      faults: ["order 2 of term 5 for thor-2 after one of term 7"],
    },
    {
      what: "two of one term count for themselves",
      orders: [order(5, 1), order(5, 1, { text: "another" })],
      faults: ["order 1 of term 5 for thor-1 stands for two orders"],
    },
    {
      what: "two of one term, the first orders of one were missed",
      orders: [order(5, 40), order(5, 2), order(5, 41)],
      faults: ["order 2 of term 5 for thor-1 after order 40"],
    },
    {
      what: "a later lease",
      orders: [order(5, 1, { leaseTerm: 3 }), order(7, 1, { leaseTerm: 4 }), order(7, 2)],
      faults: [],
    },
    {
      what: "a run that signs for an earlier lease",
      orders: [order(5, 1, { leaseTerm: 4 }), order(7, 1, { leaseTerm: 3 })],
      faults: ["order 1 of term 7 for thor-1 is of lease 3, after one of lease 4"],
    },
  ])("$what", ({ orders, faults }) => {
    expect(ordersOfTwoLeaders(orders)).toEqual(faults);
  });
});

describe("documents that agents follow", () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let agent: Database;
  let controllers: Database[];
  const open = (path: string, migrations: readonly string[]) => {
    const database = new Database(path, { create: true, strict: true });
    for (const migration of migrations) database.run(migration);
    return database;
  };
  const pathOf = (index: number) => join(directory.path, `controller-${index}.db`);

  beforeEach(() => {
    directory = temporaryDirectory();
    mkdirSync(join(directory.path, "thor-1"));
    agent = open(join(directory.path, "thor-1", "agent.db"), agentStateMigrations);
    controllers = [0, 1].map((index) => open(pathOf(index), controllerMigrations));
  });
  afterEach(() => {
    for (const database of [agent, ...controllers]) database.close();
    directory.remove();
  });

  const document = (version: number, more: Partial<Desired> = {}): Desired => ({
    ...{ v: 1, agentId: "thor-1", version, issuedAtMs: 1000 * version, role: "active", reason: "" },
    ...{ powerMode: null, powerModeUntilMs: null, ...more },
  });
  const holds = (held: Desired) =>
    agent.query("INSERT INTO document (name, content) VALUES ('desired', ?)").run(JSON.stringify(held));
  const stores = (index: number, stored: Desired) =>
    createSqliteStore(controllers[index] as Database).saveDesired(stored);
  const found = () =>
    documentsOfNobody([{ agentId: "thor-1", stateDir: join(directory.path, "thor-1") }], [pathOf(0), pathOf(1)]);

  test("no document yet", () => {
    expect(found()).toEqual([]);
  });

  test("the stored one, whatever seal it has; one before it; one of a database that was replaced", async () => {
    holds(document(3, { term: 7, powerModeCap: null }));
    await stores(0, document(3));
    await stores(1, document(1));
    expect(found()).toEqual([]);
    await stores(0, document(4, { role: "standby" }));
    expect(found()).toEqual([]);
  });

  test("a later one than any that is stored", async () => {
    holds(document(3));
    await stores(0, document(2));
    expect(found()).toEqual(["thor-1 follows version 3 (active), which no controller has stored"]);
  });

  test.each<[string, Partial<Desired>]>([
    ["role", { role: "standby" }],
    ["time", { issuedAtMs: 1 }],
    ["mode", { powerMode: "30W" }],
    ["cap", { powerModeCap: "30W" }],
  ])("one of the same version with another %s", async (_what, difference) => {
    holds(document(3, difference));
    await stores(0, document(3));
    expect(found()).toHaveLength(1);
  });
});
