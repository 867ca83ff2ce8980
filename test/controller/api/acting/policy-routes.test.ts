import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { quietController } from "../../quiet-controller.ts";

const configured = "a-configured-key";
const stateDir = mkdtempSync(join(tmpdir(), "thormesh-policy-"));
const policyFile = join(stateDir, "policy.yaml");
const first = "# by hand\nname: factory\nminReplicas: 3\nmaxReplicas: 9\n";
let controller: Controller;

async function send(method: string, path: string, body?: object, key = configured) {
  const answer = await fetch(controller.url + path, {
    ...{ method, headers: { authorization: `Bearer ${key}`, "content-type": "application/json" } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of several routes
  return { status: answer.status, body: (await answer.json()) as any };
}
const file = async () => (await send("GET", "/api/v1/policy/file")).body;

beforeAll(async () => {
  writeFileSync(policyFile, first, { mode: 0o640 });
  controller = quietController(stateDir, { apiKeys: [configured] }, { scaling: { policyFile, warmUpMs: 0 } });
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});
beforeEach(async () => {
  if (readFileSync(policyFile, "utf8") !== first) await send("POST", "/api/v1/policy", { text: first });
});

test("the file is shown as it was written, with its version and what is in force", async () => {
  expect(await file()).toMatchObject({
    ...{ path: policyFile, text: first, isMasked: false, fault: null, name: "factory", mode: "act", problem: null },
    version: expect.stringMatching(/^[0-9a-f]{12}$/),
  });
});

test("a preview says what would be decided now and how it differs, and changes nothing", async () => {
  const text = "name: factory\nminReplicas: 5\nmaxReplicas: 9\nschedules: []\n";
  const { status, body } = await send("POST", "/api/v1/policy/preview", { text });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    ...{ serving: 0, given: { agents: 5, floor: 5, ceiling: 9 }, inForce: { agents: 3, floor: 3 } },
    differences: [{ path: "minReplicas", before: "3", after: "5" }],
  });
  expect(body.text).toBe(
    "It wants 5 agents now, 5 more than are desired now (0), between 5 and 9; the policy in force (factory) wants 3.",
  );
  expect(body.given.coming[0]).toMatchObject({ floor: 5, ceiling: 9 });
  expect(readFileSync(policyFile, "utf8")).toBe(first);
});

test("an upload is in force at once, is recorded, and keeps the file's rights and comments", async () => {
  const { version } = await file();
  const text = "# changed on the page\nname: factory\nminReplicas: 4\nmaxReplicas: 9\n";
  const answer = await send("POST", "/api/v1/policy", { text, ifVersion: version });
  expect(answer).toMatchObject({ status: 200, body: { given: { agents: 4 }, inForce: { agents: 3 } } });
  expect(readFileSync(policyFile, "utf8")).toBe(text);
  expect(statSync(policyFile).mode & 0o777).toBe(0o640);
  const after = await file();
  expect(after).toMatchObject({ text, problem: null });
  expect(after.version).not.toBe(version);
  const { body } = await send("GET", "/api/v1/audit?limit=1");
  expect(body.entries[0].entry).toMatchObject({
    ...{ action: "policy.set", target: "factory", actor: "a configured key", phase: "done" },
    ...{ before: { minReplicas: 3 }, after: { minReplicas: 4 } },
  });
  const outdated = await send("POST", "/api/v1/policy", { text: first, ifVersion: version });
  expect(outdated).toMatchObject({ status: 409, body: { error: expect.stringContaining("has changed since") } });
  expect(readFileSync(policyFile, "utf8")).toBe(text);
});

test.each<[string, string, string[]]>([
  ["a wrong number", "minReplicas: -1\n", ["minReplicas"]],
  ["several mistakes", "minReplicas: 9\nmaxReplicas: 3\ncolour: red\n", ["colour", "minReplicas"]],
  ["a trigger of no kind", "triggers:\n  - name: a\n    kind: tea\n", ["triggers.0.kind"]],
  ["no YAML", "a: [1\n", ["line"]],
  ["a key twice", "minReplicas: 1\nminReplicas: 2\n", ["minReplicas"]],
])("%s is refused with the field, by preview and upload, and nothing is written", async (_, text, fields) => {
  for (const path of ["/api/v1/policy/preview", "/api/v1/policy"]) {
    const { status, body } = await send("POST", path, { text });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: "INVALID_REQUEST", param: "text" });
    for (const field of fields) expect(body.mistakes.join("\n")).toContain(field);
  }
  expect(readFileSync(policyFile, "utf8")).toBe(first);
});

describe("secrets", () => {
  const withSecret =
    "name: factory\ntriggers:\n  - name: queue\n    kind: http-json\n    url: http://127.0.0.1:9/depth\n" +
    "    path: depth\n    target: 5\n    headers:\n      x-key: s3cret-value\n";

  test("are shown to nobody, are kept when the masked text comes back, and are in no record", async () => {
    expect((await send("POST", "/api/v1/policy", { text: withSecret })).body.error).toBeUndefined();
    const shown = await file();
    expect(shown.isMasked).toBe(true);
    expect(JSON.stringify(shown)).not.toContain("s3cret-value");
    const changed = shown.text.replace("target: 5", "target: 6");
    expect(changed).not.toBe(shown.text);
    const preview = await send("POST", "/api/v1/policy/preview", { text: changed });
    expect(preview.body.differences).toEqual([{ path: "triggers.queue.target", before: "5", after: "6" }]);
    expect((await send("POST", "/api/v1/policy", { text: changed, ifVersion: shown.version })).status).toBe(200);
    expect(readFileSync(policyFile, "utf8")).toContain("s3cret-value");
    const { body } = await send("GET", "/api/v1/audit?after=0&limit=1000");
    expect(JSON.stringify(body)).not.toContain("s3cret-value");
  });

  test("that are not known can't be uploaded as placeholders", async () => {
    await send("POST", "/api/v1/policy", { text: withSecret });
    const { text } = await file();
    const { status, body } = await send("POST", "/api/v1/policy", { text: text.replace("name: queue", "name: other") });
    expect(status).toBe(400);
    expect(body.mistakes[0]).toStartWith("triggers.0.headers.x-key: expected the secret itself, got the placeholder");
  });
});

test("a file that may not be written is told with where to change it", async () => {
  if (process.getuid?.() === 0) return; // root may write everything
  chmodSync(stateDir, 0o500);
  const { status, body } = await send("POST", "/api/v1/policy", { text: first.replace("3", "4") });
  chmodSync(stateDir, 0o700);
  expect(status).toBe(409);
  expect(body.error).toContain("change it at its source");
});

test("without a configured file a policy can be tried, and the rest says what to configure", async () => {
  const alone = mkdtempSync(join(tmpdir(), "thormesh-no-policy-"));
  const free = quietController(alone, {}, { scaling: { warmUpMs: 0 } });
  await free.start();
  const post = (path: string) =>
    fetch(free.url + path, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ text: first }) },
    });
  const preview = await post("/api/v1/policy/preview");
  expect(await preview.json()).toMatchObject({ given: { agents: 3 }, inForce: null, differences: [] });
  // Nothing is wrong with such a fleet: a page that shows it has no failed request.
  const shown = await fetch(`${free.url}/api/v1/policy/file`);
  expect({ status: shown.status, body: await shown.json() }).toEqual({
    ...{ status: 200, body: { missing: expect.stringContaining("no scaling.policyFile is configured") } },
  });
  const upload = await post("/api/v1/policy");
  expect(upload.status).toBe(404);
  expect(await upload.json()).toMatchObject({ error: expect.stringContaining("no scaling.policyFile is configured") });
  await free.stop();
  rmSync(alone, { recursive: true, force: true });
});
