import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { agentStateMigrations } from "#agent/state-migrations.ts";
import { controllerMigrations } from "#controller/store/migrations.ts";
import { agentChannels } from "#protocol/topics.ts";
import { dataMap } from "#tools/data-map/data-map.ts";
import { messages } from "../scripts/build-reference.ts";

const root = join(import.meta.dir, "..");
const programs = new TextDecoder()
  .decode(Bun.spawnSync(["git", "ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root }).stdout)
  .trim()
  .split("\n")
  .filter((path) => /^(main\.ts|(agent|cli|controller|platform|protocol|tools|forecast)\/.*\.ts)$/.test(path))
  .filter((path) => Bun.file(join(root, path)).size > 0);
const code = (path: string) =>
  readFileSync(join(root, path), "utf8")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(^|\s)\/\/.*$/gm, "")
    .replaceAll(/import \{[^}]*\} from/g, "");
const idsOf = (kind: string) => dataMap.filter((store) => store.kind === kind).map(({ id }) => id);

/** Tables of a database with this schema. */
function tablesOf(migrations: readonly string[]): string[] {
  const database = new Database(":memory:");
  for (const step of migrations) database.run(step);
  const rows = database
    .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all();
  database.close();
  return rows.map(({ name }) => name);
}

/** Modules that write for others, who are listed themselves. */
const writers = new Set([
  "platform/files/write-durably.ts",
  "platform/files/write-secret-file.ts",
  "platform/files/state-secret.ts",
]);
/** Modules that write something that is no store. */
const noStores = new Set([
  // The kernel's setting of a process.
  "platform/process/child-worker.ts",
]);
const writes =
  /\b(writeFile|writeFileSync|writeSecretFile|writeStateSecret|writeDurably|writeFilesAtomically|appendFile|appendFileSync|createWriteStream|mkdtemp|mkdtempSync|mkdirSync|mkdir|copyFile|copyFileSync|symlinkSync|openDatabase|Bun\.write)\(|openSync\([^)]*"[aw]|\.writeFile\(|VACUUM INTO|\.writer\(/;

describe("the data map", () => {
  test("lists every table of controller and agents, and no other", () => {
    const tables = [
      ...tablesOf(controllerMigrations).map((name) => `controller.db/${name}`),
      ...tablesOf(agentStateMigrations).map((name) => `agent.db/${name}`),
    ];
    expect(idsOf("table").sort()).toEqual(tables.sort());
  });

  test("lists every topic, and says which are retained", () => {
    expect(idsOf("topic").sort()).toEqual([...Object.keys(messages), "agents/{id}/probe"].sort());
    const retained = Object.entries(agentChannels).flatMap(([name, { retain }]) =>
      retain ? `agents/{id}/${name}` : [],
    );
    const said = dataMap.filter(({ kind, holds }) => kind === "topic" && holds.endsWith("; retained"));
    expect(
      said
        .map(({ id }) => id)
        .filter((id) => id.startsWith("agents/"))
        .sort(),
    ).toEqual(retained.sort());
  });

  test("names every module that writes a file, and no other", () => {
    const writing = programs.filter((path) => writes.test(code(path)) && !writers.has(path) && !noStores.has(path));
    const listed = [...new Set(dataMap.flatMap(({ writtenBy = [] }) => writtenBy))];
    expect(listed.sort()).toEqual(writing.sort());
  });

  test("says of every cache in memory that it is there", () => {
    const caches = programs.filter((path) => /(^|\/)[a-z-]*cache[a-z-]*\.ts$/.test(path));
    // The second one is the directory in which TensorRT keeps its engines.
    expect(caches).toEqual(["agent/serving/admission/result-cache.ts", "agent/serving/onnxruntime/engine-cache.ts"]);
    expect(idsOf("memory")).toContain("result cache");
  });

  test("knows every label of metrics that could name a tenant", () => {
    const labelled = programs.filter(
      (path) => /register|Counter|Gauge/.test(code(path)) && /\[[^\]]*"tenant"[^\]]*\]/.test(code(path)),
    );
    expect(labelled.sort()).toEqual(["agent/power/power-metrics.ts", "controller/cost/ledger/cost-metrics.ts"]);
    expect(idsOf("metric").sort()).toEqual([
      "label tenant of thormesh_tenant_cost_today_usd",
      "label tenant of thormesh_tenant_energy_joules_total",
    ]);
  });

  test.each(dataMap)("$id says what it holds, what for, and how long", (store) => {
    for (const text of [store.holds, store.purpose, store.kept]) expect(text.length).toBeGreaterThan(3);
    // People write the configuration.
    if (store.kind === "file" && !store.id.endsWith("configuration"))
      expect(store.writtenBy?.length).toBeGreaterThan(0);
    if (store.exported) expect(store.tenant).not.toBe("none");
  });

  test("each store is listed once, and settings that it names exist", () => {
    const ids = dataMap.map(({ of, id }) => `${of} ${id}`);
    expect(new Set(ids).size).toBe(ids.length);
    const configuration = readFileSync(join(root, "docs/configuration.md"), "utf8");
    const settings = dataMap.flatMap(
      ({ kept }) => kept.match(/\b[a-z]+(\.[a-zA-Z]+)+(?<!\.db)\b|record[A-Z]\w+/g) ?? [],
    );
    for (const name of new Set(settings)) expect(configuration).toContain(`\`${name}\``);
  });
});
