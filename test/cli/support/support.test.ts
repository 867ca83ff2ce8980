import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { SupportMachine } from "#cli/support/bundle-parts.ts";
import { createHider, secretsOfConfig } from "#cli/support/known-secrets.ts";
import { collectBundle } from "#cli/support/pack-bundle.ts";
import { createSupportCommand } from "#cli/support/support.ts";
import { parseCommandLine } from "#platform/terminal/command.ts";
import * as printing from "#platform/terminal/print-line.ts";
import { temporaryDirectory } from "../../e2e/program.ts";

/** Part of every secret: whatever shows a secret shows this, plain or encoded. */
const mark = "s3cr3t-";
const marks = [mark, "czNjcjN0", "7333637233742d"];

let directory: ReturnType<typeof temporaryDirectory>;
let machine: SupportMachine;
const closing: (() => unknown)[] = [];
const variables = new Map<string, string | undefined>();
const at = (...names: string[]) => join(directory.path, ...names);

/** Command of the system in place of the real one. */
function script(name: string, ...lines: string[]): string {
  writeFileSync(at(name), `#!/bin/sh\n${lines.join("\n")}\n`);
  chmodSync(at(name), 0o755);
  return at(name);
}

function setVariables(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    variables.set(name, process.env[name]);
    process.env[name] = value;
  }
}

beforeEach(() => {
  directory = temporaryDirectory();
  // The state of whoever runs the tests is none of theirs.
  setVariables({ XDG_STATE_HOME: at("nothing"), STATE_DIRECTORY: "" });
  machine = {
    systemd: at("no-systemd"),
    logDir: directory.path,
    configDir: directory.path,
    journalctl: at("journalctl"),
    systemctl: script("systemctl", 'echo "Id=thormesh-agent.service"', 'echo "$@"'),
    versionsDir: directory.path,
    doctor: [script("doctor", 'echo "ok  board: $*"', 'echo "FAILED  broker: $THORMESH_MQTT_PASSWORD"', "exit 1")],
  };
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const [name, value] of variables) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  variables.clear();
  directory.remove();
});

/** Runs `thormesh support`, and returns what it printed and packed. */
async function support(...args: string[]) {
  const shown: string[] = [];
  const spy = spyOn(printing, "printLine").mockImplementation((line = "") => shown.push(line) > 0);
  closing.push(() => spy.mockRestore());
  const command = createSupportCommand(() => machine);
  const { values, positionals } = parseCommandLine(command, args);
  const code = await command.run(values, positionals);
  const archive = gunzipSync(readFileSync(values["out"] as string));
  const files = new Map<string, string>();
  for (const [path, file] of await new Bun.Archive(archive).files())
    files.set(path.slice(path.indexOf("/") + 1), await file.text());
  return { code, shown: shown.join("\n"), files, raw: archive.toString("latin1") };
}

/** API of a service that tells what it was asked, with secrets in its answers. */
function serveApi() {
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked.push(`${new URL(request.url).pathname} ${request.headers.get("authorization")}`);
      return new Response(`thormesh_up 1\nthormesh_label{url="mqtt://u:${mark}metric@b:1"} 1\n`);
    },
  });
  closing.push(() => server.stop(true));
  return { port: server.port as number, asked };
}

/** Agent with secrets of every kind: in its configuration, environment, files, state and log. */
function agentWithSecrets(port: number): string {
  const stateDir = at("state");
  mkdirSync(at("state", "credentials"), { recursive: true });
  writeFileSync(at("mqtt.password"), `${mark}file\n`);
  writeFileSync(at("state", "fleet.key"), Buffer.from(`${mark}binary`));
  writeFileSync(at("state", "identity.json"), JSON.stringify({ keyPem: `${mark}identity` }));
  writeFileSync(at("state", "credentials", "thormesh-api-key"), `${mark}credential`);
  writeFileSync(at("token-file"), `${mark}named`);
  const config = {
    stateDir,
    id: "thor-1",
    broker: { url: `mqtt://a1:${mark}url@127.0.0.1:1/?token=${mark}query`, passwordFile: at("mqtt.password") },
    models: { url: `https://hub:${mark}hub@hub.example`, token: `${mark}models` },
    serving: {
      port,
      apiKeys: [`${mark}api-key`, { key: `${mark}tenant-key`, tenant: "shop" }],
      tracing: { otlpUrl: `http://c:${mark}otlp@127.0.0.1:1`, headers: { "x-scope": `${mark}header` } },
    },
  };
  writeFileSync(at("agent.yaml"), JSON.stringify(config));
  setVariables({
    THORMESH_MQTT_PASSWORD: `${mark}mqtt`,
    THORMESH_PROMETHEUS_TOKEN: `${mark}prometheus`,
    THORMESH_STATE_KEY: `${mark}state`,
    THORMESH_MODELS_TOKEN_FILE: at("token-file"),
    HF_TOKEN: `${mark}hugging-face`,
    AWS_SECRET_ACCESS_KEY: `${mark}aws`,
    SOME_PROXY: `http://proxy:${mark}proxy@proxy:1`,
    CREDENTIALS_DIRECTORY: at("state", "credentials"),
  });
  const everywhere = [
    ...["file", "identity", "credential", "named", "url", "query", "hub", "models", "api-key", "tenant-key", "otlp"],
    ...["header", "mqtt", "prometheus", "state", "hugging-face", "aws", "proxy"],
  ].map((name) => `${mark}${name}`);
  // A log should hold none of them; this one holds all, in sentences that no pattern knows.
  const lines = everywhere.flatMap((secret) => [
    JSON.stringify({ time: "2026-11-30T12:00:00.000Z", level: "info", component: "agent", said: secret, msg: secret }),
    `panic near ${secret} and ${Buffer.from(secret).toString("base64")} ${encodeURIComponent(secret)}`,
  ]);
  const unknown = [
    ...[`Authorization: Bearer ${mark}bearer`, `password=${mark}assigned`, `Cookie: thormesh=${mark}cookie`],
    ...[`TM1.${mark}a.${mark}b.c`, `https://hooks.slack.com/services/${mark}hook`, `mqtt://x:${mark}other@h:1`],
    `-----BEGIN PRIVATE KEY-----\\n${mark}pem\\n-----END PRIVATE KEY-----`,
    Buffer.from(`${mark}binary`).toString("base64url"),
  ];
  writeFileSync(at("thormesh-agent.log"), `${[...lines, ...unknown].join("\n")}\nlast line of the log\n`);
  writeFileSync(at("update.json"), JSON.stringify({ state: "idle", reason: `from https://u:${mark}update@r/1` }));
  return stateDir;
}

/** Local door of an agent. */
async function openDoor(stateDir: string): Promise<void> {
  const door = createServer((socket) => {
    socket.end(JSON.stringify({ status: { agentId: "thor-1" }, events: [{ msg: `with ${mark}mqtt` }] }));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  door.listen(join(stateDir, "agent.socket"), resolve);
  await promise;
  closing.push(() => door.close());
}

test("a bundle holds what a bug report needs, and no secret of any kind", async () => {
  const api = serveApi();
  await openDoor(agentWithSecrets(api.port));
  const out = at("report.tar.gz");
  const { code, shown, files, raw } = await support("--out", out);
  expect(code).toBe(0);
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect([...files.keys()].sort()).toEqual([
    ...["about.txt", "agent-config.txt", "agent-files.txt", "agent-log.jsonl", "agent-metrics.txt"],
    ...["agent-status.json", "contents.txt", "doctor.json", "units.txt", "update.json"],
  ]);
  for (const text of [raw, shown]) for (const secret of marks) expect(text).not.toContain(secret);
  // And yet it says something.
  const text = (name: string) => files.get(name) ?? "";
  expect(text("about.txt")).toContain("thormesh ");
  expect(text("agent-config.txt")).toMatch(/agent\.yaml +id: thor-1/);
  expect(text("agent-config.txt")).toContain("mqtt://127.0.0.1:1");
  expect(text("agent-log.jsonl")).toContain("last line of the log");
  expect(text("agent-metrics.txt")).toContain("thormesh_up 1");
  expect(JSON.parse(text("agent-status.json"))).toMatchObject({ status: { agentId: "thor-1" } });
  expect(text("agent-files.txt")).toMatch(/fleet\.key +13 /);
  expect(text("doctor.json")).toBe(`ok  board: --config ${at("agent.yaml")}\nFAILED  broker: ***\n`);
  expect(text("units.txt")).toContain("Id=thormesh-agent.service");
  expect(JSON.parse(text("update.json"))).toMatchObject({ state: "idle" });
  expect(shown).toContain(text("contents.txt").trim());
  expect(shown).not.toContain("Not available");
  expect(api.asked).toEqual([`/metrics Bearer ${mark}api-key`]);
});

test("what can't be had is listed, and no reason shows a secret", async () => {
  writeFileSync(
    at("agent.yaml"),
    `serving: { apiKeys: ["${mark}api-key"], prot: 1 }\nbroker: { password: ${mark}x }\n`,
  );
  machine = { ...machine, doctor: [at("no-such-doctor")], systemctl: at("no-such-systemctl") };
  const { files, shown, raw } = await support("--out", at("report.tar.gz"));
  expect([...files.keys()].sort()).toEqual(["about.txt", "contents.txt"]);
  const [, missing = ""] = shown.split("Not available:");
  for (const name of ["doctor.json", "units.txt", "update.json", "agent-status.json", "agent-config.txt"])
    expect(missing).toContain(name);
  expect(missing).toContain("serving.prot");
  expect(missing).toContain("no agent runs on this machine");
  expect(missing).toContain("there is no such log");
  for (const text of [raw, shown]) expect(text).not.toContain(mark);
});

test("of a controller it holds the fleet's state, of both services both", async () => {
  const api = serveApi();
  writeFileSync(at("controller.yaml"), JSON.stringify({ stateDir: at("c"), api: { port: api.port } }));
  const { files } = await support("--out", at("one.tar.gz"));
  expect(files.has("controller-status.json")).toBe(true);
  expect(files.has("doctor.json")).toBe(false);
  expect(api.asked.sort()).toEqual(["/api/v1/fleet null", "/metrics null"]);
  writeFileSync(at("agent.yaml"), JSON.stringify({ stateDir: at("a"), serving: { port: api.port } }));
  const both = await support("--out", at("both.tar.gz"));
  expect(both.files.has("controller-config.txt")).toBe(true);
  expect(both.files.has("agent-config.txt")).toBe(true);
  const named = await support("agent", "--out", at("named.tar.gz"));
  expect(named.files.has("controller-config.txt")).toBe(false);
});

describe("a bundle is bounded", () => {
  const part = (text: string, keeps: "beginning" | "end") => ({
    ...{ name: `${keeps}.txt`, holds: "x", keeps },
    make: async () => text,
  });
  test("a long text keeps its beginning, a log its end, and a secret at the cut is hidden whole", async () => {
    const long = `first${"x".repeat(2 ** 20 - 8)}${mark}key${"y".repeat(2 ** 20)}last`;
    const { files } = await collectBundle([part(long, "beginning"), part(long, "end")], createHider([`${mark}key`]));
    const [beginning = "", end = ""] = [...files.values()];
    expect(beginning).toStartWith("firstxxx");
    expect(end).toEndWith("yyylast\n");
    for (const text of [beginning, end]) {
      expect(text.length).toBeLessThan(2 ** 20 + 100);
      expect(text).toContain("(cut: ");
      expect(text).not.toContain("s3cr");
    }
  });
});

describe("secrets of a configuration", () => {
  test.each([
    [{ broker: { password: "abc" } }, ["abc"]],
    [{ url: "http://u:pa%20ss@h/x?sig=q1w2" }, ["pa%20ss", "q1w2"]],
    [{ apiKeys: ["k1", { key: "k2", tenant: "t" }] }, ["k1", "k2"]],
    [{ headers: { a: "v" } }, ["v"]],
  ])("%j", (config, secrets) => {
    expect(secretsOfConfig(config)).toEqual(expect.arrayContaining(secrets));
  });
  test("are none where nothing is secret, and words are left alone", () => {
    expect(secretsOfConfig({ broker: { url: "mqtt://h:1" }, a: [1, null, true] })).toEqual([]);
    expect(createHider(["true", "8080", "abc"])("true 8080 abc")).toBe("true 8080 abc");
  });
});

test.each([
  [["agnet"], 'expected agent or controller, got "agnet"; did you mean agent?'],
  [["agent", "x"], 'support: expected nothing more, got "x"'],
  [["--config", "/does/not/exist.yaml"], "--config: there is no file /does/not/exist.yaml"],
])("%p is refused", async (args, message) => {
  await expect(support(...args)).rejects.toThrow(message);
});

test("no file is replaced", async () => {
  writeFileSync(at("there"), "mine");
  await expect(support("--out", at("there"))).rejects.toThrow(`--out: ${at("there")} already exists`);
  expect(readFileSync(at("there"), "utf8")).toBe("mine");
  await expect(support("--out", at("no", "directory"))).rejects.toThrow("can't be made: there is no such file");
  expect(existsSync(at("no"))).toBe(false);
  expect(readdirSync(directory.path)).toContain("there");
});

describe("a secret is hidden in whatever form it stands", () => {
  const secret = 'pass phrase "of" ü/+~ 42';
  const hide = createHider([secret]);
  const forms: readonly (readonly [string, string])[] = [
    ["as it is", secret],
    ["in JSON", JSON.stringify({ msg: secret })],
    ["in JSON within JSON", JSON.stringify({ msg: JSON.stringify({ said: secret }) })],
    ["in an address", `http://h/?a=1&x${encodeURIComponent(secret)}`],
    ["in an address, in small letters", encodeURIComponent(secret).toLowerCase()],
    ["in a form", new URLSearchParams({ x: secret }).toString()],
    ["as hex", Buffer.from(secret).toString("hex")],
    ["as capital hex", Buffer.from(secret).toString("hex").toUpperCase()],
    ...["", "a", "ab", "user:"].map(
      (before) =>
        [`in base64 after "${before}"`, Buffer.from(`${before}${secret} and more`).toString("base64")] as const,
    ),
    ["in base64 for addresses", Buffer.from(`xy${secret}`).toString("base64url")],
  ];
  test.each(forms)("%s", (_, text) => {
    const shown = hide(`before ${text} behind`);
    expect(shown).toContain("***");
    expect(shown).toStartWith("before ");
    expect(shown).toEndWith(" behind");
    const inside = Buffer.from(shown.replaceAll("*", ""), "base64").toString("latin1");
    for (const word of ["phrase", "7068726173", "pass%20", "pass+"]) {
      expect(shown).not.toContain(word);
      expect(inside).not.toContain(word);
    }
  });
});
