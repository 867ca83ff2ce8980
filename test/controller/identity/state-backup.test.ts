import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFleetAuthority } from "#controller/identity/fleet-authority.ts";
import { backUpState, restoreState } from "#controller/identity/state-backup.ts";

let directory: string;
const at = (...names: string[]) => join(directory, ...names);
let database: Database;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "thormesh-backup-"));
  await openFleetAuthority(at("state"), "hall", Date.now());
  writeFileSync(at("state", "broker.key"), "a key\n", { mode: 0o600 });
  database = new Database(at("state", "controller.db"), { create: true });
  database.run("PRAGMA journal_mode = WAL");
  database.run("CREATE TABLE device (id TEXT)");
  database.run("INSERT INTO device VALUES ('thor-1')");
});
afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true, force: true });
});

test("a backup of a store in use is whole, and nobody else can read it", async () => {
  const written = backUpState(at("state"), at("backup"), 1_000);
  expect(written.sort()).toEqual(["backup.json", "broker.key", "ca.key", "ca.pem", "controller.db"]);
  for (const name of readdirSync(at("backup"))) expect(statSync(at("backup", name)).mode & 0o077).toBe(0);
  database.run("INSERT INTO device VALUES ('thor-2')");
  expect(restoreState(at("backup"), at("restored"))).toEqual({ madeMs: 1_000 });
  const restored = new Database(at("restored", "controller.db"), { readonly: true });
  expect(restored.query("SELECT id FROM device").all()).toEqual([{ id: "thor-1" }]);
  restored.close();
  const [before, after] = [at("state"), at("restored")].map((path) => readFileSync(join(path, "ca.key"), "utf8"));
  expect(after).toBe(before as string);
  expect((await openFleetAuthority(at("restored"), "hall", Date.now())).pin).toBe(
    (await openFleetAuthority(at("state"), "hall", Date.now())).pin,
  );
  for (const name of readdirSync(at("restored"))) expect(statSync(at("restored", name)).mode & 0o077).toBe(0);
});

test("broken off, restoring is finished by the same command", () => {
  backUpState(at("state"), at("backup"), 1_000);
  restoreState(at("backup"), at("restored"));
  // Cut before the last file, and in the middle of one.
  rmSync(at("restored", "ca.key"));
  writeFileSync(at("restored", "ca.key.part"), "ha");
  restoreState(at("backup"), at("restored"));
  expect(readFileSync(at("restored", "ca.key"), "utf8")).toBe(readFileSync(at("state", "ca.key"), "utf8"));
});

test.each<[string, () => void, string]>([
  [
    "over another controller's files",
    () => writeFileSync(at("restored.key"), ""),
    "exists and differs from the backup",
  ],
  [
    "from a directory without a backup",
    () => rmSync(at("backup", "backup.json")),
    "is what thormesh controller backup wrote?".slice(3),
  ],
  [
    "of a file that was changed",
    () => writeFileSync(at("backup", "controller.db"), "x"),
    "is missing or has been altered",
  ],
  ["of a file that is gone", () => rmSync(at("backup", "broker.key")), "is missing or has been altered"],
  [
    "of a manifest that others can read",
    () => chmodSync(at("backup", "backup.json"), 0o644),
    "only its owner can read",
  ],
  ["of a manifest that is none", () => writeFileSync(at("backup", "backup.json"), "{}"), "can't be read"],
])("nothing is restored %s", (_name, spoil, words) => {
  backUpState(at("state"), at("backup"), 1_000);
  spoil();
  const target = existsSync(at("restored.key")) ? "other" : "restored";
  if (target === "other") {
    restoreState(at("backup"), at("other"));
    writeFileSync(at("other", "ca.key"), "another\n", { mode: 0o600 });
  }
  expect(() => restoreState(at("backup"), at(target))).toThrow(words);
  expect(existsSync(at("restored"))).toBe(false);
});

test("a backup is refused over another one, of a directory without an authority, and of a key that others can read", () => {
  backUpState(at("state"), at("backup"), 1_000);
  expect(() => backUpState(at("state"), at("backup"), 1_000)).toThrow("already contains a backup");
  expect(() => backUpState(at("nowhere"), at("again"), 1_000)).toThrow("start the controller once");
  chmodSync(at("state", "broker.key"), 0o640);
  expect(() => backUpState(at("state"), at("again"), 1_000)).toThrow("only its owner can read");
});
