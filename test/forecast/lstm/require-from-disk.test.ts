import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { requireFromDisk, resolveOnDisk } from "#forecast/lstm/require-from-disk.ts";

let root: string;
const files: Readonly<Record<string, string>> = {
  "node_modules/@scope/native/package.json": '{"main": "dist/start"}',
  "node_modules/@scope/native/dist/start.js":
    'exports.sum = require("../shared").base + require("plain") + require("./part"); exports.os = require("os").EOL;',
  "node_modules/@scope/native/dist/part.js": "module.exports = 100;",
  "node_modules/@scope/native/shared/index.js": "exports.base = 1;",
  "node_modules/plain/index.js": "module.exports = 10;",
  "node_modules/torn/package.json": "{",
  "node_modules/nothing/package.json": '{"main": "gone.js"}',
  "node_modules/itself/package.json": '{"main": "."}',
  "node_modules/itself/index.js": "module.exports = 7;",
  "node_modules/fails/index.js": 'throw new Error("its library is not there");',
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "thormesh-require-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

test.each([
  { name: "plain", found: "node_modules/plain/index.js" },
  { name: "itself", found: "node_modules/itself/index.js" },
  { name: "nothing", found: null },
  { name: "no-such-package", found: null },
  { name: "./node_modules/plain", found: "node_modules/plain/index.js" },
  { name: "plain/index", found: "node_modules/plain/index.js" },
])("$name is found where CommonJS finds it: $found", ({ name, found }) => {
  expect(resolveOnDisk(name, root, root)).toBe(found === null ? null : join(root, found));
  const below = join(root, "some", "folder");
  if (!name.startsWith(".")) expect(resolveOnDisk(name, below, root)).toBe(found === null ? null : join(root, found));
});

test("a package loads with all that it requires", () => {
  expect(requireFromDisk("@scope/native", root)).toEqual({ sum: 111, os: "\n" });
});

test.each([
  { name: "no-such-package", says: "Cannot find module 'no-such-package'" },
  { name: "fails", says: "its library is not there" },
  { name: "torn", says: "JSON" },
])("$name is an error that says why, and leaves requiring as it was", ({ name, says }) => {
  expect(() => requireFromDisk(name, root)).toThrow(says);
  expect(require("node:os").EOL).toBe("\n");
  expect(() => require("plain")).toThrow();
});
