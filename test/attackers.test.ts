import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

// The table of attackers in docs/security.md: each row is a test, and names the files that hold it and others.

const docs = join(import.meta.dir, "..", "docs");
const section = /\n## Attackers\n([\s\S]*?)\n## /.exec(readFileSync(join(docs, "security.md"), "utf8"))?.[1] ?? "";
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.slice(2, -2).split(" | "))
  .slice(1);
const tests = readFileSync(join(import.meta.dir, "e2e", "attackers.test.ts"), "utf8");

test("the table has a row for each attacker that the tests play, and no other", () => {
  const played = [...tests.matchAll(/^test\("([^"]+)"/gm)].map(([, name = ""]) => name);
  const general = /^(the README's commands|doctor) /;
  expect(rows.map(([attacker]) => attacker).sort()).toEqual(played.filter((name) => !general.test(name)).sort());
});

test.each(rows)("%s: what it can and can't do is said, and each test that the row names exists", (...cells) => {
  expect(cells).toHaveLength(4);
  const [, can = "", cannot = "", links = ""] = cells;
  expect(Math.min(can.length, cannot.length)).toBeGreaterThan(0);
  const paths = [...links.matchAll(/\]\(([^)]+)\)/g)].map(([, path = ""]) => path);
  expect(paths).toContain("../test/e2e/attackers.test.ts");
  expect(paths.filter((path) => !existsSync(join(docs, path)))).toEqual([]);
});
