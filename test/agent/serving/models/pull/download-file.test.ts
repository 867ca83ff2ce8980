import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Download, downloadFile } from "#agent/serving/models/pull/download-file.ts";
import { askHub } from "#agent/serving/models/pull/hub-request.ts";
import { PullError } from "#agent/serving/models/pull/pull-error.ts";
import { type HubFake, type HubFakeFile, type HubFakeOptions, startHub } from "../../../../fakes/hub.ts";

const content = crypto.getRandomValues(new Uint8Array(60_000));
const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");

let directory: string;
let hub: HubFake | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "thormesh-download-"));
});
afterEach(async () => {
  await hub?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function download(
  file: Partial<HubFakeFile>,
  options: Partial<HubFakeOptions> = {},
  parts: Partial<Download> = {},
) {
  hub = await startHub({ repos: { "acme/m": { f: { content, lfs: true, ...file } } }, ...options });
  const access = { baseUrl: hub.url, token: options.token ?? null, timeoutMs: parts.timeoutMs ?? 60_000 };
  const waits: number[] = [];
  const target = join(directory, "f");
  const progress: number[] = [];
  const result = downloadFile({
    target,
    file: { path: "f", bytes: null, sha256: null, gitSha1: null },
    knownSha256: null,
    ask: (headers, signal) =>
      askHub(access, "acme/m/resolve/main/f", "acme/m/f", { signal, headers, accepted: [206, 416] }),
    maxBytes: 1e9,
    roomBytes: 1e9,
    timeoutMs: access.timeoutMs,
    onProgress(bytes) {
      progress.push(bytes);
      const due = file.cut?.after ?? 0;
      if (due > 0 && (bytes % due === 0 || bytes > due)) hub?.cutHeld();
    },
    signal: new AbortController().signal,
    async sleep(ms) {
      waits.push(ms);
    },
    ...parts,
  });
  result.catch(() => {});
  const ranges = () => hub?.requests.map(({ range }) => range ?? "all") ?? [];
  return { result, target, waits, progress, ranges, hub };
}

async function failure(promise: Promise<unknown>): Promise<PullError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(PullError);
  return error;
}

test("a file comes whole, and is checked by what the hub says of it", async () => {
  const { result, target, progress } = await download({});
  expect(await result).toMatchObject({ bytes: 60_000, sha256, evidence: "hub sha256", resumedAt: 0 });
  expect(Buffer.compare(await readFile(target), content)).toBe(0);
  expect(progress.at(-1)).toBe(60_000);
  expect(existsSync(`${target}.part`)).toBe(false);
});

test.each([
  {
    name: "the catalogue's hash is the strongest",
    parts: { knownSha256: sha256 },
    file: {},
    evidence: "catalogue sha256",
  },
  { name: "a small file is checked as a git object", parts: {}, file: { lfs: false }, evidence: "hub git object" },
])("$name", async ({ parts, file, evidence }) => {
  const { result } = await download(file, {}, parts);
  expect((await result).evidence).toBe(evidence as "size");
});

test("a plain file server's word is its length", async () => {
  const { result } = await download({}, { plain: true });
  expect(await result).toMatchObject({ evidence: "size", sha256 });
});

describe("a connection that is cut", () => {
  test("is taken up where it was", async () => {
    const { result, target, ranges, hub } = await download({ cut: { after: 20_000, times: 1 } });
    expect(await result).toMatchObject({ sha256, resumedAt: 20_000 });
    expect(ranges()).toEqual(["all", "bytes=20000-"]);
    expect(hub?.requests[1]?.ifRange).toBe(`"${sha256}"`);
    expect(Buffer.compare(await readFile(target), content)).toBe(0);
  });

  test("again and again, while there is progress", async () => {
    const { result, waits } = await download({ cut: { after: 5_000, times: 11 } });
    expect((await result).sha256).toBe(sha256);
    expect(waits.length).toBe(11);
    expect(Math.max(...waits)).toBe(500);
  });

  test("without progress is given up, with longer and longer waits; what is there stays for the next time", async () => {
    const { result, target, waits } = await download({ cut: { after: 0, times: 99 } });
    const error = await failure(result);
    expect(error.message).toContain("5 times in a row");
    expect(waits).toEqual([500, 1000, 2000, 4000]);
    expect(existsSync(target)).toBe(false);
  });

  test("and a server that sends whole files only: from the beginning", async () => {
    const { result, ranges } = await download({ cut: { after: 20_000, times: 1 } }, { refuseRanges: true });
    expect(await result).toMatchObject({ sha256, resumedAt: 0 });
    expect(ranges()).toEqual(["all", "bytes=20000-"]);
  });

  test("behind a redirect is taken up with the tag of the server that has the file", async () => {
    const { result, hub } = await download({ cut: { after: 20_000, times: 1 } }, { cdn: true, token: "secret" });
    expect(await result).toMatchObject({ sha256, resumedAt: 20_000, evidence: "hub sha256" });
    expect(hub?.requests.map(({ server }) => server)).toEqual(["hub", "cdn", "hub", "cdn"]);
    expect(hub?.requests.at(-1)?.ifRange).toStartWith('"cdn-');
    // The token is the hub's and nobody else's.
    expect(hub?.requests.map(({ authorization }) => authorization)).toEqual([
      "Bearer secret",
      undefined,
      "Bearer secret",
      undefined,
    ]);
  });

  test("with nothing by which the file is recognised starts again", async () => {
    const { result, ranges } = await download({ cut: { after: 20_000, times: 1 } }, { plain: true });
    expect((await result).sha256).toBe(sha256);
    expect(ranges()).toEqual(["all", "all"]);
  });
});

describe("what an earlier pull left", () => {
  test("is continued", async () => {
    await writeFile(join(directory, "f.part"), content.subarray(0, 45_000));
    await writeFile(join(directory, "f.part.json"), JSON.stringify({ validator: `"${sha256}"` }));
    const { result, ranges } = await download({});
    expect(await result).toMatchObject({ sha256, resumedAt: 45_000 });
    expect(ranges()).toEqual(["bytes=45000-"]);
  });

  test("is left when the file has changed since", async () => {
    await writeFile(join(directory, "f.part"), new Uint8Array(45_000));
    await writeFile(join(directory, "f.part.json"), JSON.stringify({ validator: '"another"' }));
    const { result } = await download({});
    expect(await result).toMatchObject({ sha256, resumedAt: 0 });
  });

  test("is distrusted when the whole is wrong: once more from the beginning", async () => {
    await writeFile(join(directory, "f.part"), new Uint8Array(45_000));
    const { result, ranges } = await download({}, {}, { knownSha256: sha256 });
    expect(await result).toMatchObject({ sha256, resumedAt: 0 });
    expect(ranges()).toEqual(["bytes=45000-", "all"]);
  });

  test("may be all of it", async () => {
    await writeFile(join(directory, "f.part"), content);
    const file = { path: "f", bytes: 60_000, sha256, gitSha1: null };
    const { result } = await download({}, {}, { file });
    expect(await result).toMatchObject({ sha256, resumedAt: 60_000 });
  });

  test("may be more than there is: it is thrown away", async () => {
    await writeFile(join(directory, "f.part"), new Uint8Array(70_000));
    const file = { path: "f", bytes: 60_000, sha256, gitSha1: null };
    const { result } = await download({}, {}, { file });
    expect(await result).toMatchObject({ sha256, resumedAt: 0 });
  });
});

test("what a server continues elsewhere than asked is thrown away, and the file begins anew", async () => {
  await writeFile(join(directory, "f.part"), content.subarray(0, 20_000));
  await writeFile(join(directory, "f.part.json"), JSON.stringify({ validator: '"tag"' }));
  const asked: (string | null)[] = [];
  const server = Bun.serve({
    port: 0,
    fetch(request) {
      const range = request.headers.get("range");
      asked.push(range);
      if (range === null) return new Response(content);
      const headers = { "content-range": "bytes 10000-59999/60000" };
      return new Response(content.subarray(10_000), { status: 206, headers });
    },
  });
  try {
    const access = { baseUrl: server.url.origin, token: null, timeoutMs: 60_000 };
    const file = { path: "f", bytes: 60_000, sha256, gitSha1: null };
    const ask: Download["ask"] = (headers, signal) =>
      askHub(access, "f", "acme/m/f", { signal, headers, accepted: [206, 416] });
    expect(await (await download({}, {}, { file, ask })).result).toMatchObject({ sha256, resumedAt: 0 });
    expect(asked).toEqual(["bytes=20000-", null]);
  } finally {
    await server.stop(true);
  }
});

test("an empty file is a file", async () => {
  const { result, target } = await download({ content: new Uint8Array(0) });
  expect((await result).bytes).toBe(0);
  expect((await readFile(target)).length).toBe(0);
});

test("other bytes than promised are refused, named, and not kept", async () => {
  const { result, target } = await download({ wrong: { content: new Uint8Array(60_000), times: 9 } });
  const error = await failure(result);
  expect(error.message).toContain(`f is not the expected file: expected sha256 ${sha256}, got `);
  expect(existsSync(target)).toBe(false);
  expect(existsSync(`${target}.part`)).toBe(false);
});

test("a server that falls silent is given up and asked again", async () => {
  const { result, ranges } = await download({ stall: { after: 10_000, times: 1 } }, {}, { timeoutMs: 2_000 });
  expect(await result).toMatchObject({ sha256, resumedAt: 10_000 });
  expect(ranges()).toEqual(["all", "bytes=10000-"]);
});

describe("statuses", () => {
  test.each([
    { code: 500, headers: {}, wait: 500 },
    { code: 503, headers: { "retry-after": "7" }, wait: 7000 },
    { code: 429, headers: { "retry-after": "9999" }, wait: 30_000 },
  ])("$code is asked again", async ({ code, headers, wait }) => {
    const { result, waits } = await download({ status: { code, times: 1, headers } });
    expect((await result).sha256).toBe(sha256);
    expect(waits).toEqual([wait]);
  });

  test.each([
    { code: 403, message: "may not read it" },
    { code: 404, message: "no such model, revision or file" },
    { code: 418, message: "answered 418" },
  ])("$code is final", async ({ code, message }) => {
    const { result, waits } = await download({ status: { code, times: 9 } });
    expect((await failure(result)).message).toContain(message);
    expect(waits).toEqual([]);
  });

  test("401 without a token says where one is taken from; with one, that it is wrong", async () => {
    const { result } = await download({}, { token: "right" }, {});
    expect((await result).sha256).toBe(sha256);
    await hub?.stop();
    hub = await startHub({ repos: {}, token: "right" });
    const ask = (token: string | null) =>
      askHub({ baseUrl: hub?.url as string, token, timeoutMs: 60_000 }, "acme/m/resolve/main/f", "acme/m", {
        signal: new AbortController().signal,
      });
    expect((await failure(ask(null))).message).toContain("HF_TOKEN");
    expect((await failure(ask("wrong"))).message).toContain("the token was not accepted");
  });

  test("redirects without end are", async () => {
    const { result } = await download({}, { loop: true });
    expect((await failure(result)).message).toContain("10 redirects");
  });

  test("a server that is not there is named", async () => {
    const ask = askHub({ baseUrl: "http://127.0.0.1:1", token: null, timeoutMs: 60_000 }, "x", "x", {
      signal: new AbortController().signal,
    });
    expect((await failure(ask)).message).toContain("127.0.0.1:1 can't be reached");
  });
});

test("an interrupted download stops at once and keeps what is there", async () => {
  const interrupted = new AbortController();
  const { result, target } = await download(
    { stall: { after: 10_000, times: 1 } },
    {},
    { signal: interrupted.signal, onProgress: () => interrupted.abort(new Error("interrupted")) },
  );
  await expect(result).rejects.toThrow("interrupted");
  expect((await readFile(`${target}.part`)).length).toBeGreaterThan(0);
});
