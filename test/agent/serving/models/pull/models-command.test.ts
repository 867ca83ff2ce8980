import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfCommand } from "#platform/process/self-command.ts";
import { type HubFake, type HubFakeFile, startHub } from "../../../../fakes/hub.ts";
import { coupledModel, lookUpModel } from "../../../../fakes/onnx/tiny-models.ts";
import { bertConfig, writeModelDirectory } from "../write-model-directory.ts";
import { tinyRepository } from "./tiny-repository.ts";

let place: string;
let hub: HubFake;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "thormesh-models-"));
  hub = await startHub({ repos: { "acme/tiny": await tinyRepository() }, token: "secret" });
});
afterAll(async () => {
  await hub.stop();
  await rm(place, { recursive: true, force: true });
});

async function models(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...selfCommand(), "models", ...args, "--dir", join(place, "pulled")], {
    env: { ...process.env, HF_ENDPOINT: hub.url, HF_TOKEN: "secret", ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, code, json: () => JSON.parse(stdout) };
}

test("list shows what the program carries and what can be pulled", async () => {
  const { stdout, code } = await models(["list"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^all-MiniLM-L6-v2 +embedded +384 /m);
  expect(stdout).toMatch(/^bge-small-en-v1.5 +catalogue +384 /m);
  const { models: entries } = (await models(["list", "--json"])).json();
  expect(entries.find((entry: { id: string }) => entry.id === "bge-m3")).toMatchObject({
    status: "catalogue",
    dimension: 1024,
    repo: "BAAI/bge-m3",
    directory: null,
  });
});

test("list shows what was noted of a model: the file chosen, what is assumed, that its texts are computed one by one", async () => {
  const directory = join(place, "noted");
  const config = { "config.json": { ...bertConfig, hidden_size: 8 } };
  await writeModelDirectory(join(directory, "coupled"), { "model.onnx": coupledModel("function"), ...config });
  await writeModelDirectory(join(directory, "damaged"), { "model.onnx": "\u003b", ...config });
  const file = join(place, "noted.yaml");
  await writeFile(file, JSON.stringify({ serving: { modelDirectory: directory } }));
  const { stdout } = await models(["list", "--config", file]);
  expect(stdout).toContain("coupled: model.onnx (fp32): the only file\n");
  expect(stdout).toContain("coupled: 1_Pooling/config.json does not exist: assuming mean pooling\n");
  expect(stdout).toMatch(/^coupled: numbers are quantised .* \(DynamicQuantizeLinear\).* computed by itself/m);
  expect(stdout).toMatch(/^damaged: its ONNX file can't be read: .*wire type 3/m);
  const { models: entries } = (await models(["list", "--json", "--config", file])).json();
  expect(entries.find((entry: { id: string }) => entry.id === "coupled").notes).toHaveLength(3);
});

test("there is nothing to verify in a directory that is not there", async () => {
  const { stderr, code } = await models(["verify"]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining("--dir: expected a directory of models"),
  });
});

describe("a model's life", () => {
  test("is pulled from the mirror that the environment names, without a bar where there is no terminal", async () => {
    const { stdout, stderr, code } = await models(["pull", "acme/tiny"]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^acme\/tiny: 5 files, \d+\.\d MB, in /);
    expect(stderr).not.toContain("█");
    expect(stderr).toContain("tokenizer.json: 0.5 MB, checked by hub git object");
    const again = (await models(["pull", "acme/tiny", "--json"])).json();
    expect(again).toMatchObject({ id: "acme/tiny", unchanged: true });
  });

  test("is listed and verified; damage is found and named", async () => {
    const listed = (await models(["list", "--json"])).json().models;
    expect(listed.find(({ id }: { id: string }) => id === "acme/tiny")).toMatchObject({
      status: "pulled",
      dimension: 4,
    });
    expect((await models(["verify"])).code).toBe(0);
    await truncate(join(place, "pulled", "acme", "tiny", "tokenizer.json"), 1000);
    const { stdout, code } = await models(["verify", "acme/tiny"]);
    expect(code).toBe(1);
    expect(stdout).toContain("DAMAGED");
    expect(stdout).toContain("tokenizer.json is changed: expected sha256");
    const { ok, models: entries } = (await models(["verify", "--json"])).json();
    expect(ok).toBe(false);
    expect(entries.find(({ id }: { id: string }) => id === "all-MiniLM-L6-v2").status).toBe("ok");
    expect((await models(["pull", "acme/tiny", "--force"])).code).toBe(0);
    expect((await models(["verify", "acme/tiny"])).code).toBe(0);
  });

  test("ends, but not that of the program's own model, and not while the configuration names it", async () => {
    const config = join(place, "agent.yaml");
    await writeFile(config, "serving: {pinned: [acme/tiny]}\n");
    const inUse = await models(["remove", "acme/tiny", "--config", config]);
    expect({ code: inUse.code, stderr: inUse.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("the configuration names it"),
    });
    expect((await models(["remove", "acme/tiny"])).code).toBe(0);
    expect((await models(["list", "--json"])).stdout).not.toContain("acme/tiny");
    const own = await models(["remove", "all-MiniLM-L6-v2"]);
    expect({ code: own.code, stderr: own.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("is built into the executable"),
    });
  });
});

test("Ctrl-C in the middle of a file, then the same command: the rest comes, and nothing of it is lost", async () => {
  const repo = await tinyRepository();
  const weights = repo["onnx/model.onnx"] as HubFakeFile;
  weights.stall = { after: 100_000, times: 1 };
  const stalling = await startHub({ repos: { "acme/slow": repo }, cdn: true });
  try {
    const env = { HF_ENDPOINT: stalling.url };
    const directory = join(place, "pulled");
    const child = Bun.spawn([...selfCommand(), "models", "pull", "acme/slow", "--dir", directory], {
      env: { ...process.env, ...env },
      stdout: "ignore",
      stderr: "pipe",
    });
    const part = async () => {
      for await (const path of new Bun.Glob(".pulling-acme--slow-*/onnx/model.onnx.part").scan({
        cwd: directory,
        dot: true,
      }))
        return Bun.file(join(directory, path)).size;
      return 0;
    };
    while ((await part()) < 100_000 && child.exitCode === null) await Bun.sleep(5);
    child.kill("SIGINT");
    const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining("interrupted: run the same command to resume"),
    });
    expect(existsSync(join(directory, "acme", "slow"))).toBe(false);
    const { files } = (await models(["pull", "acme/slow", "--json"], env)).json();
    expect(files.find(({ path }: { path: string }) => path === "onnx/model.onnx").resumedAt).toBe(100_000);
    expect((await models(["verify", "acme/slow"])).code).toBe(0);
    expect((await models(["remove", "acme/slow"])).code).toBe(0);
  } finally {
    await stalling.stop();
  }
});

describe("from a directory, without a network", () => {
  test("it is copied, described, loaded", async () => {
    const from = join(place, "hub", "models--org--copied", "snapshots", "abc");
    await writeModelDirectory(from, { "onnx/model.onnx": lookUpModel() });
    const env = { HF_ENDPOINT: "http://127.0.0.1:1" };
    const copied = await models(["pull", "--from", from, "--json"], env);
    expect(copied.json()).toMatchObject({ id: "org/copied", unchanged: false });
    const named = await models(["pull", "--from", from, "own-name"], env);
    expect(named.code).toBe(0);
    expect((await models(["verify", "org/copied", "own-name"])).code).toBe(0);
  });

  test("a directory whose files are not those of its manifest is refused by name", async () => {
    const from = join(place, "pulled", "own-name");
    await truncate(join(from, "tokenizer.json"), 1000);
    const { stderr, code } = await models(["pull", "--from", from, "other-name"]);
    expect(code).toBe(1);
    expect(stderr).toContain("tokenizer.json is not the file of its manifest: expected sha256");
    expect((await models(["list", "--json"])).stdout).not.toContain("other-name");
  });

  test("a model that does not load is not installed", async () => {
    const from = join(place, "broken");
    await writeModelDirectory(from, { "model.onnx": new Uint8Array(1000) });
    const { stderr, code } = await models(["pull", "--from", from]);
    expect(code).toBe(1);
    expect(stderr).toContain("the model does not load");
  });
});

test.each([
  { args: [], message: "expected list, pull, verify, remove, got nothing" },
  { args: ["push"], message: 'expected list, pull, verify, remove, got "push"' },
  { args: ["pull"], message: "expected one model" },
  { args: ["pull", "a/b", "c/d"], message: "expected one model" },
  { args: ["pull", "nope"], message: "neither in the catalogue" },
  { args: ["pull", "bge-smal-en-v1.5"], message: "did you mean bge-small-en-v1.5" },
  { args: ["verify", "all-minilm-l6"], message: "did you mean all-MiniLM-L6-v2?" },
  { args: ["pull", "../../etc"], message: "neither in the catalogue" },
  { args: ["pull", "a/..b/c"], message: "neither in the catalogue" },
  { args: ["pull", "a/b@../c"], message: "expected a branch, tag or commit" },
  { args: ["pull", "a/b", "--url", "ftp://x"], message: "expected http://… or https://…" },
  { args: ["pull", "a/b", "--precision", "fp8"], message: "--precision: expected one of auto, fp32" },
  { args: ["pull", "--from", "/nowhere"], message: "there is no such directory" },
  { args: ["pull", "--from", import.meta.dir], message: "expected a model" },
  { args: ["pull", "--from", import.meta.path], message: "expected a directory, got a file" },
  { args: ["verify", "nope"], message: '"nope" is not installed' },
  { args: ["remove", "nope"], message: '"nope" was not pulled' },
  { args: ["remove", "../x"], message: "was not pulled" },
  { args: ["list", "x"], message: "list takes no names" },
])("models $args is bad usage", async ({ args, message }) => {
  const { stderr, code } = await models(args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
});

test("a wrong token and a hub that is not there are told, and exit with 1", async () => {
  const wrong = await models(["pull", "acme/tiny"], { HF_TOKEN: "wrong" });
  expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining("the token was not accepted"),
  });
  expect(wrong.stderr + wrong.stdout).not.toContain('"wrong"');
  const absent = await models(["pull", "acme/tiny", "--url", "http://127.0.0.1:1"]);
  expect({ code: absent.code, stderr: absent.stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining("127.0.0.1:1 can't be reached"),
  });
});
