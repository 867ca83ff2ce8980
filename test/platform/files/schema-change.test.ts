import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { LaterVersionError, openDatabase } from "#platform/files/open-database.ts";
import { onlyAdds, usableFrom } from "#platform/files/schema-change.ts";
import { createLogger } from "#platform/log.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

const log = createLogger("test", "silent");
const first = "CREATE TABLE t (x INTEGER)";
const adds = "CREATE TABLE more (y INTEGER); ALTER TABLE t ADD COLUMN z INTEGER;";
const breaks = "ALTER TABLE t RENAME COLUMN x TO w";
const directories: ReturnType<typeof temporaryDirectory>[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) directory.remove();
});

/** A file of the first version with one row. */
function stateOfFirst(): string {
  const directory = temporaryDirectory();
  directories.push(directory);
  const path = join(directory.path, "state.db");
  const database = openDatabase(path, [first], log, Date.now());
  database.run("INSERT INTO t VALUES (7)");
  database.close();
  return path;
}

test.each([
  [first, true],
  [adds, true],
  ["CREATE INDEX i ON t (x)", true],
  ["-- a note; with words\nCREATE TABLE u (x INTEGER) STRICT;", true],
  ["ALTER TABLE t ADD COLUMN a TEXT NOT NULL DEFAULT ''", true],
  ["ALTER TABLE t ADD COLUMN a TEXT DEFAULT '' NOT NULL", true],
  ["ALTER TABLE t ADD COLUMN a TEXT NOT NULL", false],
  ["CREATE UNIQUE INDEX i ON t (x)", false],
  ["CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END", false],
  ["DROP TABLE t", false],
  ["UPDATE t SET x = 1", false],
  [breaks, false],
])("%p only adds: %p", (step, expected) => expect(onlyAdds(step)).toBe(expected));

test.each([
  [[first], 1],
  [[first, adds], 1],
  [[first, breaks], 2],
  [[first, breaks, adds, adds], 2],
  [[first, adds, breaks], 3],
])("%p can be used from schema version %p on", (steps, expected) => expect(usableFrom(steps)).toBe(expected));

describe("the version before, after an update is given up", () => {
  test("goes on with a file to which the new one only added", () => {
    const path = stateOfFirst();
    const next = openDatabase(path, [first, adds], log, Date.now(), { exclusive: true });
    next.run("INSERT INTO t VALUES (8, 9)");
    next.close();
    const before = openDatabase(path, [first], log, Date.now(), { exclusive: true });
    expect(before.query("SELECT x FROM t").all()).toEqual([{ x: 7 }, { x: 8 }]);
    before.close();
    const again = openDatabase(path, [first, adds], log, Date.now());
    expect(again.query("SELECT z FROM t").all()).toEqual([{ z: null }, { z: 9 }]);
    again.close();
  });

  test("goes on with its copy of one that the new one changed, and keeps that aside", () => {
    const path = stateOfFirst();
    const next = openDatabase(path, [first, breaks], log, Date.now(), { exclusive: true });
    next.run("INSERT INTO t VALUES (8)");
    next.close();
    const before = openDatabase(path, [first], log, 1234);
    expect(before.query("SELECT x FROM t").all()).toEqual([{ x: 7 }]);
    before.close();
    const aside = openDatabase(`${path}.later-1234`, [first, breaks], log, Date.now());
    expect(aside.query("SELECT w FROM t").all()).toEqual([{ w: 7 }, { w: 8 }]);
    aside.close();
  });

  test("refuses a file that it has no copy for", () => {
    const path = stateOfFirst();
    openDatabase(path, [first, breaks], log, Date.now()).close();
    Bun.spawnSync(["rm", `${path}.schema-1`]);
    expect(() => openDatabase(path, [first], log, Date.now())).toThrow(LaterVersionError);
    expect(existsSync(path)).toBe(true);
  });

  test("refuses a file that says nothing of who can use it", () => {
    const path = stateOfFirst();
    const foreign = openDatabase(path, [first], log, Date.now());
    foreign.run("PRAGMA user_version = 5");
    foreign.run("PRAGMA application_id = 0");
    foreign.close();
    expect(() => openDatabase(path, [first], log, Date.now())).toThrow(
      "has schema version 5; this program knows up to 1",
    );
  });
});

test("a change that the version before can't live with is not made where no copy can be", () => {
  const path = stateOfFirst();
  Bun.spawnSync(["mkdir", "-p", `${path}.schema-1/in-the-way`]);
  expect(() => openDatabase(path, [first, breaks], log, Date.now())).toThrow(
    "can't be copied before its schema is changed",
  );
  const database = openDatabase(path, [first, adds], log, Date.now());
  expect(database.query("SELECT x FROM t").all()).toEqual([{ x: 7 }]);
  database.close();
});

test("copies are kept for a week", () => {
  const path = stateOfFirst();
  openDatabase(path, [first, adds], log, Date.now()).close();
  const copies = () => readdirSync(join(path, "..")).filter((name) => name.includes(".schema-"));
  openDatabase(path, [first, adds], log, Date.now()).close();
  expect(copies()).toEqual(["state.db.schema-1"]);
  const eightDaysAgo = new Date(Date.now() - 8 * 86_400_000);
  utimesSync(`${path}.schema-1`, eightDaysAgo, eightDaysAgo);
  openDatabase(path, [first, adds], log, Date.now()).close();
  expect(copies()).toEqual([]);
});

test("the newest change of each schema leaves its file to the version before", () => {
  for (const steps of [agentStateMigrations, controllerMigrations])
    expect(usableFrom(steps)).toBeLessThanOrEqual(Math.max(1, steps.length - 1));
});
