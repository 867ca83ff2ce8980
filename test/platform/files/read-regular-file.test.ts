import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashFile } from "#agent/serving/models/pull/hash-file.ts";
import { openRegularFile, readRegularFile, readRegularText } from "#platform/files/read-regular-file.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-regular-"));
  path = join(directory, "file");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a file is read, also through a link", async () => {
  writeFileSync(path, "\ufeffwörds");
  symlinkSync(path, join(directory, "link"));
  expect(await readRegularText(path)).toBe("wörds");
  expect(await readRegularText(join(directory, "link"))).toBe("wörds");
  writeFileSync(path, "");
  expect(await readRegularFile(path)).toEqual(new Uint8Array());
});

test("what is not there is told by its code", async () => {
  await expect(readRegularFile(path)).rejects.toMatchObject({ code: "ENOENT" });
});

test("what is too large is not read", async () => {
  writeFileSync(path, "");
  truncateSync(path, 2 ** 40);
  await expect(readRegularFile(path)).rejects.toThrow("has 1099511627776 bytes, expected at most");
  truncateSync(path, 11);
  await expect(readRegularFile(path, 10)).rejects.toThrow("has 11 bytes, expected at most 10");
});

test.each<[string, () => void]>([
  ["a pipe that nobody writes to", () => void Bun.spawnSync(["mkfifo", path])],
  ["a device without end", () => symlinkSync("/dev/zero", path)],
  ["a directory", () => mkdirSync(path)],
])("%s is refused at once", async (_name, put) => {
  put();
  await expect(readRegularFile(path)).rejects.toThrow(`${path} is not a file`);
  expect(() => openRegularFile(path)).toThrow(`${path} is not a file`);
  await expect(hashFile(path)).rejects.toThrow(`${path} is not a file`);
});

test("a socket is refused", async () => {
  const server = createServer().listen(path);
  try {
    await expect(readRegularFile(path)).rejects.toThrow();
  } finally {
    server.close();
  }
});
