import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../../..");
const commands = new TextDecoder()
  .decode(Bun.spawnSync(["git", "ls-files", "cli", "tools"], { cwd: root }).stdout)
  .trim()
  .split("\n")
  .filter((path) => path.endsWith(".ts"));
const read = (path: string) => readFileSync(join(root, path), "utf8");

// What goes through the API is recorded there (audited-routes.test.ts). A command that opens the store itself records itself, or only reads.
test("every command that opens a controller's store records what it changes", () => {
  const opening = commands.filter((path) =>
    /withControllerStore\(|openRecords\(|openConfiguredRecords\(|createSqliteStore\(/.test(read(path)),
  );
  const recording = opening.filter((path) => /new AuditLog\(/.test(read(path)) && /audit\.change\(/.test(read(path)));
  expect(recording).toEqual(["cli/access/keys.ts", "cli/identity/broker-config.ts"]);
  const reading = opening.filter((path) => !recording.includes(path) && path !== "cli/access/with-controller-store.ts");
  // The second one copies the whole store, its audit log included, and changes nothing but its name (store-id).
  expect(reading).toEqual(["cli/access/audit.ts", "cli/migrate-store.ts"]);
  for (const path of reading.filter((each) => each !== "cli/migrate-store.ts"))
    expect(read(path)).not.toMatch(
      /store\.(save|remove|insert|append|erase|prune|set|take|mark|roll|rate|update|repeat)/,
    );
});

test("a command that changes something through the API can give a reason", () => {
  const changing = commands.filter(
    (path) =>
      path.startsWith("cli/") && /askController\(/.test(read(path)) && /method: "(POST|PATCH|DELETE)"/.test(read(path)),
  );
  const own = changing.filter((path) => !/reasonOf\(/.test(read(path)));
  // These have a reason of their own in the body, or make and end join tokens, whose entries say all.
  expect(own).toEqual(["cli/freeze.ts", "cli/identity/agents.ts", "cli/identity/token.ts"]);
});
