import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSecretIfThere, writeSecretFile } from "#platform/files/write-secret-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-secret-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const rights = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("a secret is its owner's alone, and so is a directory made for it", () => {
  const path = join(directory, "keys", "broker");
  expect(readSecretIfThere(path, "the broker's key")).toBeNull();
  writeSecretFile(path, "first");
  expect([rights(path), rights(join(directory, "keys"))]).toEqual(["600", "700"]);
  expect(readSecretIfThere(path, "the broker's key")).toBe("first");
});

test("a newer secret takes the old one's place and closes a file that was open to others", () => {
  const path = join(directory, "broker");
  writeFileSync(path, "a much longer secret that came before", { mode: 0o644 });
  writeSecretFile(path, "new");
  expect([readFileSync(path, "utf8"), rights(path)]).toEqual(["new", "600"]);
  expect(readdirSync(directory)).toEqual(["broker"]);
});

test("a secret that can't take its place is an error and leaves no copy behind", () => {
  const path = join(directory, "broker");
  mkdirSync(join(path, "in-the-way"), { recursive: true });
  expect(() => writeSecretFile(path, "secret")).toThrow("EISDIR");
  expect(readdirSync(directory)).toEqual(["broker"]);
});
