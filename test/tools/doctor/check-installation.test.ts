import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashBytes } from "#protocol/release/file-hashes.ts";
import { checkInstallation } from "#tools/doctor/check-installation.ts";
import { noUpdates, type UpdateState, writeUpdateState } from "#tools/update/update-state.ts";
import { temporaryDirectory } from "../../e2e/program.ts";
import { installVersion, tinyProgram } from "../../fakes/releases.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let executable: string;
beforeEach(() => {
  directory = temporaryDirectory();
  installVersion(directory.path, "0.2.0");
  executable = join(directory.path, "versions/0.2.0/thormesh");
});
afterEach(() => directory.remove());

const say = (change: Partial<UpdateState>) => writeUpdateState(directory.path, { ...noUpdates, ...change });
const { sha256 } = hashBytes(tinyProgram("0.2.0"));

test("a program that was never updated, or lies elsewhere, has nothing to check", async () => {
  expect(await checkInstallation(executable)).toEqual([]);
  expect(await checkInstallation("/usr/bin/thormesh")).toEqual([]);
});

test("a file as it was verified is well; an edited one is named with both hashes", async () => {
  say({ state: "healthy", version: "0.2.0", previous: "0.1.0", hashes: { "0.2.0": sha256 } });
  expect(await checkInstallation(executable)).toEqual([
    { name: "installation", status: "ok", detail: "version 0.2.0, its file as it was installed" },
  ]);
  appendFileSync(executable, "\n");
  const [result] = await checkInstallation(executable);
  expect(result).toMatchObject({ status: "failed", advice: expect.stringContaining("sudo thormesh rollback") });
  expect(result?.detail).toContain(`${executable} was changed since it was installed (expected sha256 ${sha256}, got `);
});

test.each(["switched", "returning"] as const)("an update that is %s is told with how to end it", async (state) => {
  say({ state, version: "0.2.0", previous: "0.1.0" });
  expect(await checkInstallation(executable)).toEqual([
    {
      name: "installation",
      status: "note",
      detail: "the update to 0.2.0 is under way, or was cut short",
      advice: "if none is running: sudo thormesh update --resume",
    },
  ]);
});

test("a state that can't be read is a failure, not an exception", async () => {
  writeFileSync(join(directory.path, "update.json"), "{");
  expect(await checkInstallation(executable)).toMatchObject([{ status: "failed" }]);
});
