import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auditCommand } from "#cli/access/audit.ts";
import type { Controller } from "#controller/controller.ts";
import { openRecords } from "#controller/open-records.ts";
import { createLogger } from "#platform/log.ts";
import { evidenceFiles } from "#tools/evidence/collect-evidence.ts";
import { quietController } from "../../controller/quiet-controller.ts";

const directory = mkdtempSync(join(tmpdir(), "thormesh-evidence-"));
const configured = "a-configured-key";
const before = process.env["THORMESH_API_KEY"];
let controller: Controller;

beforeAll(async () => {
  const stateDir = join(directory, "state");
  const { store } = openRecords(stateDir, Date.now(), createLogger("test", "silent"));
  const draft = {
    ...{ actor: "root", role: "admin", from: "local", phase: "done" as const, of: null, before: null, after: null },
    reason: null,
  };
  await store.appendAudit({ ...draft, atMs: Date.UTC(2026, 9, 31, 23, 59), action: "keys.create", target: "old" });
  await store.appendAudit({ ...draft, atMs: Date.UTC(2026, 10, 1), action: "devices.revoke", target: "thor-1" });
  await store.appendAudit({ ...draft, atMs: Date.UTC(2026, 10, 2), action: "freeze.set", target: "default" });
  await store.close();
  controller = quietController(stateDir, { apiKeys: [configured] });
  await controller.start();
  process.env["THORMESH_API_KEY"] = configured;
  const send = (path: string, body: object) =>
    fetch(`${controller.url}/api/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${configured}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await send("keys", { name: "wall", role: "viewer" });
  await send("tenants", { id: "red" });
  await send("tenants/red/erase", {});
});
afterAll(async () => {
  await controller.stop();
  if (before === undefined) delete process.env["THORMESH_API_KEY"];
  else process.env["THORMESH_API_KEY"] = before;
  rmSync(directory, { recursive: true, force: true });
});

const collect = async (name: string, window: Record<string, string>) => {
  const out = join(directory, name);
  expect(await auditCommand.run({ url: controller.url, out, ...window }, ["evidence"])).toBe(0);
  return (file: string) => readFileSync(join(out, file), "utf8");
};

test("a directory holds every kind of evidence, with a manifest of hashes, and no secret", async () => {
  const read = await collect("all", { from: "2026-11-01" });
  const { files, from } = JSON.parse(read("manifest.json")) as {
    from: string;
    files: { file: string; shows: string; sha256: string; bytes: number }[];
  };
  expect(from).toBe("2026-11-01T00:00:00.000Z");
  expect(Object.fromEntries(files.map(({ file, shows }) => [file, shows]))).toEqual(evidenceFiles);
  expect(readdirSync(join(directory, "all")).sort()).toEqual([...Object.keys(evidenceFiles), "manifest.json"].sort());
  for (const { file, sha256, bytes } of files) {
    expect(bytes).toBeGreaterThan(0);
    expect(new Bun.CryptoHasher("sha256").update(read(file)).digest("hex")).toBe(sha256);
    expect(read(file)).not.toContain(configured);
  }
  expect(JSON.parse(read("audit-verdict.json"))).toMatchObject({ kind: "intact", first: 1 });
  expect(JSON.parse(read("routes.json"))).toMatchObject({
    "GET /api/v1/audit": "admin",
    "GET /api/v1/fleet": "viewer",
    "GET /healthz": "open",
    "POST /api/v1/freeze": "operator",
  });
  expect(JSON.parse(read("config.json"))).toMatchObject({ config: { retention: { auditDays: 400 } } });
  expect(JSON.parse(read("encryption.json"))).toMatchObject({
    mqtt: { url: null, tls: { port: null } },
    state: {
      keyId: null,
      secrets: [
        { file: "ca.key", encrypted: false },
        { file: "broker.key", encrypted: false },
      ],
    },
  });
  expect(JSON.parse(read("keys.json"))).toMatchObject({ keys: [{ name: "wall", role: "viewer" }], joinTokens: [] });
  expect(JSON.parse(read("tenant-jobs.json"))).toMatchObject({
    jobs: [{ kind: "erase", receipts: [{ of: "(controller)" }] }],
  });
});

test("what happened before or after the window is not in it", async () => {
  const read = await collect("november", { from: "2026-11-01", to: "2026-11-03" });
  const actions = (file: string) =>
    read(file)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line).entry.action);
  expect(actions("audit.jsonl")).toEqual(["devices.revoke", "freeze.set"]);
  expect(actions("access-changes.jsonl")).toEqual(["devices.revoke"]);
  expect(JSON.parse(read("tenant-jobs.json"))).toEqual({ jobs: [] });
});

test.each([
  [{ out: "/x" }, "expected --from DAY"],
  [{ from: "2026-11-01" }, "expected --out DIR"],
  [
    { from: "2026-02-30", out: "/x" },
    '--from: expected a day such as 2026-11-01, or a time with its zone; got "2026-02-30"',
  ],
  [{ from: "2026-11-02", to: "2026-11-01", out: "/x" }, "--to: expected a time after that of --from"],
  [{ from: "2026-11-01", out: "/x", local: true }, "--local can't be used with audit evidence"],
])("%j is refused: %s", async (values, message) => {
  expect(auditCommand.run(values, ["evidence"])).rejects.toThrow(message);
});
