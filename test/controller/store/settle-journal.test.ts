import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSettling } from "#controller/store/settle-journal.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-settle-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a database in a file is settled with its journal, and without one, while it is written", async () => {
  const path = join(directory, "a.db");
  const settled = createSettling({ filename: path });
  await settled();
  const database = new Database(path);
  database.run("PRAGMA journal_mode = WAL");
  database.run("CREATE TABLE a (b INTEGER)");
  for (let value = 0; value < 20; value += 1) {
    database.run("INSERT INTO a VALUES (?)", [value]);
    await settled();
  }
  expect(existsSync(`${path}-wal`)).toBe(true);
  database.close();
  await settled();
});

test("one in memory has nothing to settle", async () => {
  for (const filename of ["", ":memory:"]) await createSettling({ filename })();
});

test("a journal that can't be opened is a failure", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  await expect(createSettling({ filename: join(file, "a.db") })()).rejects.toThrow("ENOTDIR");
});
