import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockForTraining } from "#cli/forecast/training-lock.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "thormesh-lock-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("a directory that another process trains into is refused, by the process's number", async () => {
  await writeFile(join(directory, "training.lock"), `${process.ppid}\n`);
  await expect(lockForTraining(directory)).rejects.toThrow(`process ${process.ppid} is training into ${directory}`);
});

test.each([
  { name: "nobody's", text: null },
  { name: "one that was killed", text: "2147483646\n" },
  { name: "nothing readable", text: "" },
])("it is taken where the lock is $name, and given free", async ({ text }) => {
  if (text !== null) await writeFile(join(directory, "training.lock"), text);
  const unlock = await lockForTraining(directory);
  expect(await Bun.file(join(directory, "training.lock")).text()).toBe(`${process.pid}\n`);
  await unlock();
  expect(await readdir(directory)).toEqual([]);
});
