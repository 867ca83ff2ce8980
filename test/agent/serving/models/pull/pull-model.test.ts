import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { verifyModel } from "#agent/serving/models/installed/verify-model.ts";
import { readCatalog } from "#agent/serving/models/pull/catalog.ts";
import { parseModelName } from "#agent/serving/models/pull/parse-model-name.ts";
import { PullError } from "#agent/serving/models/pull/pull-error.ts";
import { type PullRequest, pullModel } from "#agent/serving/models/pull/pull-model.ts";
import { openStaging } from "#agent/serving/models/pull/staging.ts";
import { commit, type HubFake, type HubFakeFile, type HubFakeOptions, startHub } from "../../../../fakes/hub.ts";
import { tinyRepository } from "./tiny-repository.ts";

let place: string;
let hub: HubFake | undefined;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "thormesh-pull-"));
});
afterEach(async () => {
  await hub?.stop();
  hub = undefined;
  await rm(place, { recursive: true, force: true });
});

async function hubWith(repo: Record<string, HubFakeFile>, options: Partial<HubFakeOptions> = {}) {
  await hub?.stop();
  hub = await startHub({ repos: { "acme/tiny": repo, "BAAI/bge-small-en-v1.5": repo }, ...options });
  return hub;
}

async function pull(name: string, parts: Partial<PullRequest> = {}, baseUrl = hub?.url as string) {
  const shown: string[] = [];
  const result = await pullModel(parseModelName(name, readCatalog()), {
    access: { baseUrl, token: null, timeoutMs: 60_000 },
    modelsDirectory: place,
    choice: { precision: "auto", architecture: process.arch, gpu: false },
    maxBytes: 1e9,
    force: false,
    events: { onPlan() {}, onProgress() {}, onFile: ({ path }) => shown.push(path), onCheck() {} },
    signal: new AbortController().signal,
    sleep: async () => {},
    ...parts,
  });
  return { result, shown };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(PullError);
  return error.message;
}

const manifestOf = async (id: string) => JSON.parse(await readFile(join(place, id, "manifest.json"), "utf8"));
const left = async () => (await readdir(place)).filter((name) => name.startsWith("."));

test("a repository's model is pulled: what it needs and no more, checked, described, loaded", async () => {
  await hubWith(await tinyRepository());
  const { result, shown } = await pull("acme/tiny");
  expect(result).toMatchObject({ id: "acme/tiny", repo: "acme/tiny", revision: "main", commit, unchanged: false });
  const needed = [
    "1_Pooling/config.json",
    "config.json",
    "onnx/model.onnx",
    "sentence_bert_config.json",
    "tokenizer.json",
  ];
  expect([...shown].sort()).toEqual(needed);
  expect(Object.fromEntries(result.files.map(({ path, evidence }) => [path, evidence]))).toMatchObject({
    "onnx/model.onnx": "hub sha256",
    "tokenizer.json": "hub git object",
  });
  const manifest = await manifestOf("acme/tiny");
  expect(manifest).toMatchObject({
    id: "acme/tiny",
    revision: commit,
    licence: "apache-2.0",
    dimension: 4,
    pooling: "mean",
    maxTokens: 64,
    source: { repo: "acme/tiny", revision: "main", commit },
  });
  expect(Object.keys(manifest.files).sort()).toEqual(needed);
  expect((await verifyModel({ manifest, origin: join(place, "acme/tiny") })).status).toBe("ok");
  expect(await left()).toEqual([]);
});

test("of a commit, though the branch is asked for: files of two versions are never mixed", async () => {
  const { requests } = await hubWith(await tinyRepository());
  await pull("acme/tiny");
  const files = requests.filter(({ path }) => path.includes("/resolve/"));
  expect(files.every(({ path }) => path.includes(`/resolve/${commit}/`))).toBe(true);
});

test("what is there already is not pulled again, unless asked to", async () => {
  const { requests } = await hubWith(await tinyRepository());
  await pull("acme/tiny");
  requests.length = 0;
  expect((await pull("acme/tiny")).result.unchanged).toBe(true);
  expect(requests.length).toBe(1);
  expect((await pull("acme/tiny", { force: true })).result.unchanged).toBe(false);
});

test("another precision is another file", async () => {
  await hubWith(await tinyRepository());
  const choice = { precision: "fp16" as const, architecture: process.arch, gpu: false };
  const { shown } = await pull("acme/tiny", { choice });
  expect(shown).toContain("onnx/model_fp16.onnx");
  expect(shown).not.toContain("onnx/model.onnx");
});

test("redirects to where the files lie, and a plain file server, are as good", async () => {
  await hubWith(await tinyRepository(), { cdn: true });
  expect((await pull("acme/tiny")).result.files.some(({ evidence }) => evidence === "hub sha256")).toBe(true);
  await hubWith(await tinyRepository(), { plain: true });
  const { result, shown } = await pull("acme/tiny");
  expect(shown).toContain("onnx/model.onnx");
  expect(shown).toContain("1_Pooling/config.json");
  expect(result.commit).toBeNull();
  expect((await manifestOf("acme/tiny")).revision).toStartWith("files-");
});

describe("of the catalogue", () => {
  test("a model that is another one is refused, and what was installed stays", async () => {
    await hubWith(await tinyRepository());
    await mkdir(join(place, "bge-small-en-v1.5"));
    await writeFile(join(place, "bge-small-en-v1.5", "manifest.json"), "{}");
    const message = await failure(pull("bge-small-en-v1.5"));
    expect(message).toContain("expected vectors of 384 numbers, got 4");
    expect(await readFile(join(place, "bge-small-en-v1.5", "manifest.json"), "utf8")).toBe("{}");
  });

  test("its pooling counts where its files state none, as in exports for JavaScript", async () => {
    const { "1_Pooling/config.json": _pooling, ...files } = await tinyRepository(384);
    await hubWith(files);
    await pull("bge-small-en-v1.5");
    expect((await manifestOf("bge-small-en-v1.5")).pooling).toBe("cls");
  });

  test("its name, prompts and licence come along", async () => {
    await hubWith(await tinyRepository(384));
    expect((await pull("BAAI/bge-small-en-v1.5")).result.id).toBe("bge-small-en-v1.5");
    expect(await manifestOf("bge-small-en-v1.5")).toMatchObject({
      aliases: ["BAAI/bge-small-en-v1.5"],
      licence: "MIT",
      prompts: { query: "Represent this sentence for searching relevant passages: " },
    });
  });
});

describe("an interrupted pull", () => {
  test("is continued: whole files are kept, half a file is continued", async () => {
    const repo = await tinyRepository();
    (repo["onnx/model.onnx"] as HubFakeFile).stall = { after: 100_000, times: 1 };
    const { requests } = await hubWith(repo);
    const interrupted = new AbortController();
    const events: PullRequest["events"] = {
      onPlan() {},
      onProgress(path, bytes) {
        if (path === "onnx/model.onnx" && bytes >= 50_000) interrupted.abort(new Error("interrupted"));
      },
      onFile() {},
      onCheck() {},
    };
    await expect(pull("acme/tiny", { events, signal: interrupted.signal })).rejects.toThrow("interrupted");
    expect(existsSync(join(place, "acme"))).toBe(false);
    requests.length = 0;
    const { result } = await pull("acme/tiny");
    expect(result.files.find(({ path }) => path === "onnx/model.onnx")?.resumedAt).toBeGreaterThanOrEqual(50_000);
    const asked = requests.filter(({ path }) => path.includes("/resolve/"));
    expect(asked.map(({ path }) => path.split("/").at(-1))).toEqual(["model.onnx"]);
    expect(asked[0]?.range).toMatch(/^bytes=\d{5,}-$/);
    expect(await left()).toEqual([]);
  });

  test("a whole file that it left is known by the hub's sha256, and another one is pulled anew", async () => {
    const repo = await tinyRepository();
    (repo["tokenizer.json"] as HubFakeFile).status = { code: 404, times: 1 };
    await hubWith(repo);
    await failure(pull("acme/tiny"));
    const [staged] = await left();
    const weights = join(place, staged as string, "onnx/model.onnx");
    await mkdir(join(place, staged as string, "onnx"), { recursive: true });
    await writeFile(weights, (repo["onnx/model.onnx"] as HubFakeFile).content);
    const resumedAt = async () => {
      const { result } = await pull("acme/tiny");
      return result.files.find(({ path }) => path === "onnx/model.onnx")?.resumedAt;
    };
    expect(await resumedAt()).toBe((repo["onnx/model.onnx"] as HubFakeFile).content.length);
  });

  test("by a cut connection goes on by itself", async () => {
    const repo = await tinyRepository();
    (repo["tokenizer.json"] as HubFakeFile).cut = { after: 0, times: 2 };
    await hubWith(repo);
    expect((await pull("acme/tiny")).result.files.length).toBe(5);
  });
});

describe("what can't be served is not installed, and the reason is told", () => {
  test.each([
    { name: "wrong bytes", file: "onnx/model.onnx", message: "not the expected file: expected sha256" },
    {
      name: "wrong bytes of a small file",
      file: "config.json",
      message: "not the expected file: expected git object",
    },
  ])("$name", async ({ file, message }) => {
    const repo = await tinyRepository();
    const it = repo[file] as HubFakeFile;
    it.wrong = { content: it.content.map((byte) => byte ^ 1), times: 9 };
    await hubWith(repo);
    expect(await failure(pull("acme/tiny"))).toContain(message);
    expect(existsSync(join(place, "acme"))).toBe(false);
  });

  test("no ONNX file", async () => {
    const { "onnx/model.onnx": _, "onnx/model_fp16.onnx": __, ...rest } = await tinyRepository();
    await hubWith(rest);
    expect(await failure(pull("acme/tiny"))).toContain("look for an export of this model to ONNX");
  });

  test("an ONNX file that is none, though it is the one the hub has", async () => {
    await hubWith({ ...(await tinyRepository()), "onnx/model.onnx": { content: new Uint8Array(5_000), lfs: true } });
    expect(await failure(pull("acme/tiny"))).toContain("the model does not load");
    expect(existsSync(join(place, "acme"))).toBe(false);
  });

  test("files that contradict each other", async () => {
    const other = await tinyRepository(8);
    await hubWith({ ...(await tinyRepository()), "config.json": other["config.json"] as HubFakeFile });
    expect(await failure(pull("acme/tiny"))).toContain("belong to different models");
  });

  test("paths that lead out of the model's directory are not followed", async () => {
    const evil = { content: new TextEncoder().encode("evil") };
    await hubWith({ ...(await tinyRepository()), "onnx/model.onnx/../../../../evil": evil, "../evil": evil });
    const { shown } = await pull("acme/tiny");
    expect(shown.filter((path) => path.includes("evil"))).toEqual([]);
  });

  test.each([
    { name: "acme/nope", message: "acme/nope@main does not exist on 127.0.0.1" },
    { name: "acme/tiny@v9", message: "acme/tiny@v9 does not exist" },
  ])("$name", async ({ name, message }) => {
    await hubWith(await tinyRepository());
    expect(await failure(pull(name))).toContain(message);
  });

  test("without a token that is needed", async () => {
    await hubWith(await tinyRepository(), { token: "secret" });
    expect(await failure(pull("acme/tiny"))).toContain("HF_TOKEN");
    const access = { baseUrl: hub?.url as string, token: "secret", timeoutMs: 60_000 };
    expect((await pull("acme/tiny", { access })).result.files.length).toBe(5);
  });

  test("an answer that is no list of files", async () => {
    const server = Bun.serve({ port: 0, fetch: () => Response.json({ siblings: "none" }) });
    try {
      expect(await failure(pull("acme/tiny", {}, server.url.origin))).toContain("in an unreadable form");
    } finally {
      await server.stop(true);
    }
  });
});

test("a model that is being pulled is left to who pulls it; a lock that a killed process left is not heeded", async () => {
  await hubWith(await tinyRepository());
  await writeFile(join(place, ".lock-acme--tiny"), "1");
  expect(await failure(pull("acme/tiny"))).toContain("already being pulled by process 1");
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  await writeFile(join(place, ".lock-acme--tiny"), String(gone.pid));
  expect((await pull("acme/tiny")).result.unchanged).toBe(false);
});

test("of pulls that begin together one has the model, the others leave it alone; whoever held the number before is not mistaken", async () => {
  const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openStaging(place, "acme/tiny", "v")));
  const taken = opened.filter((one) => one.status === "fulfilled");
  expect(taken.length).toBe(1);
  for (const one of opened)
    if (one.status === "rejected")
      expect(String(one.reason)).toContain(`already being pulled by process ${process.pid}`);
  await taken[0]?.value.release();
  expect((await left()).filter((name) => name.includes("lock"))).toEqual([]);
  // Of a process that had this one's number, and ended.
  await writeFile(join(place, ".lock-acme--tiny"), `${process.pid} 1`);
  await (await openStaging(place, "acme/tiny", "v")).release();
});

test.each([
  { times: 3, outcome: "pulled" },
  { times: 9, outcome: "refused" },
])(
  "a hub that is busy $times times is asked again when it says, then the model is $outcome",
  async ({ times, outcome }) => {
    await hubWith(await tinyRepository(), { busy: { times } });
    const waits: number[] = [];
    const sleep = async (ms: number) => void waits.push(ms);
    if (outcome === "pulled") expect((await pull("acme/tiny", { sleep })).result.files.length).toBe(5);
    else expect(await failure(pull("acme/tiny", { sleep }))).toContain("answered 429");
    expect(waits).toEqual([7000, 7000, 7000]);
  },
);

test("neither a token nor a mirror's password is written down, and the token stays with the hub", async () => {
  const { url, requests } = await hubWith(await tinyRepository(), { cdn: true, token: "sesame" });
  const withPassword = url.replace("http://", "http://me:pass-word@");
  await pull("acme/tiny", { access: { baseUrl: withPassword, token: "sesame", timeoutMs: 60_000 } });
  const elsewhere = requests.filter(({ server }) => server === "cdn");
  expect(elsewhere.length).toBeGreaterThan(0);
  expect(elsewhere.map(({ authorization }) => authorization)).toEqual(elsewhere.map(() => undefined));
  const manifest = JSON.stringify(await manifestOf("acme/tiny"));
  expect(manifest).not.toContain("sesame");
  expect(manifest).not.toContain("pass-word");
});

test("a process that was killed between the two renames of an installation left a model that is whole", async () => {
  await mkdir(join(place, ".former-acme--tiny"));
  await writeFile(join(place, ".former-acme--tiny", "manifest.json"), "{}");
  await mkdir(join(place, "acme"));
  const staging = await openStaging(place, "acme/tiny", "v");
  expect(existsSync(join(place, "acme", "tiny", "manifest.json"))).toBe(true);
  await staging.release();
});
