import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { downloadFile } from "#agent/serving/models/pull/download-file.ts";
import type { HubFile } from "#agent/serving/models/pull/hub-listing.ts";
import { listRepository } from "#agent/serving/models/pull/hub-listing.ts";
import { askHub, type HubAccess } from "#agent/serving/models/pull/hub-request.ts";
import { PullError } from "#agent/serving/models/pull/pull-error.ts";
import { pullModel, refuseTooMuch } from "#agent/serving/models/pull/pull-model.ts";

let place: string;
let stop: () => Promise<void>;
let sentBytes = 0;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "thormesh-lies-"));
  sentBytes = 0;
});
afterEach(async () => {
  await stop();
  await rm(place, { recursive: true, force: true });
});

/** A server that answers everything in this way. */
async function serve(answer: (response: ServerResponse, path: string) => void): Promise<HubAccess> {
  const server = createServer((request, response) => {
    response.on("error", () => {});
    answer(response, request.url ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: null, timeoutMs: 60_000 };
}

/** Sends pieces for as long as the client takes them. */
function sendWithoutEnd(response: ServerResponse, piece = Buffer.alloc(64 * 1024, "x")): void {
  const more = () => {
    while (!response.destroyed) {
      sentBytes += piece.length;
      if (!response.write(piece)) {
        response.once("drain", more);
        return;
      }
    }
  };
  more();
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(PullError);
  return (error as PullError).message;
}

function download(access: HubAccess, file: Partial<HubFile>, maxBytes: number) {
  return downloadFile({
    target: join(place, "f"),
    file: { path: "f", bytes: null, sha256: null, gitSha1: null, ...file },
    knownSha256: null,
    ask: (headers, signal) => askHub(access, "f", "acme/m/f", { signal, headers, accepted: [206, 416] }),
    maxBytes,
    roomBytes: 1e12,
    timeoutMs: 60_000,
    onProgress() {},
    signal: new AbortController().signal,
    sleep: async () => {},
  });
}

const announced = 100_000;
const limit = 300_000;
const lies: readonly {
  readonly name: string;
  readonly file: Partial<HubFile>;
  readonly answer: (response: ServerResponse) => void;
  readonly says: RegExp;
}[] = [
  {
    name: "the list names a size, the body does not end",
    file: { bytes: announced },
    answer: (response) => sendWithoutEnd(response.writeHead(200)),
    says: /^f: announced with 100000 bytes, got \d+ or more: the file was discarded$/,
  },
  {
    name: "no size at all, the body does not end",
    file: {},
    answer: (response) => sendWithoutEnd(response.writeHead(200)),
    says: /^f: expected at most 300000 bytes, got \d+ or more/,
  },
  {
    name: "the list names a size, the answer another one",
    file: { bytes: announced },
    answer: (response) => sendWithoutEnd(response.writeHead(200, { "content-length": 10 ** 12 })),
    says: /^f: announced as 100000 bytes, the server sends 1000000000000$/,
  },
  {
    name: "more is announced than is wanted",
    file: { bytes: 10 ** 15 },
    answer: (response) => sendWithoutEnd(response.writeHead(200)),
    says: /^f: expected at most 300000 bytes, the server announces 1000000000000000$/,
  },
  {
    name: "the answer announces more than is wanted",
    file: {},
    answer: (response) => sendWithoutEnd(response.writeHead(200, { "content-length": 10 ** 15 })),
    says: /^f: expected at most 300000 bytes, the server announces 1000000000000000$/,
  },
  {
    name: "the redirect's header names a size, the body does not end",
    file: {},
    answer: (response) => sendWithoutEnd(response.writeHead(200, { "x-linked-size": String(announced) })),
    says: /^f: announced with 100000 bytes, got \d+/,
  },
  {
    name: "a size that is no number that can be",
    file: {},
    answer: (response) => sendWithoutEnd(response.writeHead(200, { "x-linked-size": "1e300" })),
    says: /^f: expected at most 300000 bytes, got \d+/,
  },
  {
    name: "a piece that begins elsewhere",
    file: { bytes: announced },
    answer: (response) => sendWithoutEnd(response.writeHead(206, { "content-range": "bytes 0-9/10" })),
    says: /^f: announced with 100000 bytes, got \d+/,
  },
];

describe("a file is never written beyond what was announced or allowed", () => {
  test.each(lies.map((lie) => [lie.name, lie] as const))("%s", async (_, { file, answer, says }) => {
    const access = await serve((response) => answer(response));
    let largest = 0;
    const watch = setInterval(async () => {
      largest = Math.max(largest, (await stat(join(place, "f.part")).catch(() => ({ size: 0 }))).size);
    }, 1);
    const message = await refusal(download(access, file, limit));
    clearInterval(watch);
    expect(message).toMatch(says);
    expect(largest).toBeLessThanOrEqual(limit);
    // Neither the file nor a part of it.
    expect(existsSync(join(place, "f"))).toBe(false);
    expect(existsSync(join(place, "f.part"))).toBe(false);
  });

  test("one that sends a little and takes it back, again and again, is given up", async () => {
    let requests = 0;
    const access = await serve((response) => {
      requests += 1;
      response.socket?.setNoDelay();
      if (requests % 2 === 0) response.writeHead(416).end();
      else {
        response.writeHead(200, { "content-length": 1000, etag: '"a"' });
        response.write("x", () => response.destroy());
      }
    });
    expect(await refusal(download(access, {}, limit))).toMatch(/after 1000 attempts|5 times in a row/);
    expect(requests).toBeLessThanOrEqual(1001);
  });
});

describe("a list of files is read within bounds", () => {
  const list = (access: HubAccess) => listRepository(access, "acme/m", "main", [], new AbortController().signal);

  test.each([
    [
      "that does not end",
      (response: ServerResponse) => sendWithoutEnd(response.writeHead(200)),
      /expected at most 16777216 bytes, the server sends more/,
    ],
    [
      "that is announced longer than any",
      (response: ServerResponse) => sendWithoutEnd(response.writeHead(200, { "content-length": 10 ** 12 })),
      /expected at most 16777216 bytes, the server announces 1000000000000/,
    ],
    [
      "that unpacks to more than it is",
      (response: ServerResponse) =>
        response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(50_000_000, " "))),
      /the server sends the list of files of acme\/m@main as gzip, although asked not to/,
    ],
    [
      "of an error, that does not end",
      (response: ServerResponse) => sendWithoutEnd(response.writeHead(404)),
      /expected at most 16777216 bytes/,
    ],
    [
      "of more files than there are",
      (response: ServerResponse) =>
        response
          .writeHead(200)
          .end(JSON.stringify({ siblings: Array.from({ length: 100_001 }, () => ({ rfilename: "a" })) })),
      /in an unreadable form: siblings: /,
    ],
    [
      "with a name longer than any",
      (response: ServerResponse) =>
        response.writeHead(200).end(JSON.stringify({ siblings: [{ rfilename: "a".repeat(5000) }] })),
      /in an unreadable form: siblings\.0\.rfilename: /,
    ],
  ] as const)("%s", async (_, answer, says) => {
    const access = await serve((response) => answer(response));
    expect(await refusal(list(access))).toMatch(says);
    expect(sentBytes).toBeLessThan(200_000_000);
  });

  test("a server that falls silent within it is given up", async () => {
    const access = { ...(await serve((response) => void response.writeHead(200).write("{"))), timeoutMs: 3_000 };
    expect(await refusal(list(access))).toMatch(/has sent nothing of the list of files/);
  });

  test.each([
    ["../../etc", null],
    ["a/b", null],
    ["x".repeat(65), null],
    ["\u001b[31m", null],
    ["0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567"],
  ])("a commit called %j", async (sha, expected) => {
    const access = await serve((response) => response.writeHead(200).end(JSON.stringify({ sha, siblings: [] })));
    expect((await list(access)).commit).toBe(expected);
  });
});

describe("a model is refused before anything is fetched", () => {
  test.each([
    [
      "in more files than a model has",
      Array.from({ length: 1001 }, (_, n) => ({ path: `f${n}`, bytes: 1 })),
      /at most 1000 files, got 1001/,
    ],
    [
      "of more bytes than is allowed",
      [
        { path: "a.onnx", bytes: 600 },
        { path: "b", bytes: 600 },
      ],
      /at most 1000 bytes \(--max-bytes\), the server announces 1200/,
    ],
    [
      "with a description larger than memory",
      [{ path: "config.json", bytes: 10 ** 9 }],
      /config\.json: expected at most 268435456 bytes/,
    ],
    ["with a name that a terminal would obey", [{ path: "a\u001b[2J.onnx", bytes: 1 }], /got "a\\u001b\[2J\.onnx"/],
    ["with a name longer than any", [{ path: `${"a".repeat(300)}.onnx`, bytes: 1 }], /at most 200 letters/],
  ] as const)("%s", async (_, files, says) => {
    stop = async () => {};
    expect(() => refuseTooMuch(files, 1000)).toThrow(says);
  });

  test("through a whole pull: the directory is left as it was", async () => {
    const access = await serve((response, path) => {
      if (!path.startsWith("/api/")) return void sendWithoutEnd(response.writeHead(200));
      const siblings = ["config.json", "tokenizer.json", "onnx/model.onnx"].map((rfilename) => ({
        rfilename,
        size: 1000,
      }));
      return void response.writeHead(200).end(JSON.stringify({ siblings }));
    });
    const message = await refusal(
      pullModel(
        { id: "acme/m", repo: "acme/m", revision: "main", known: null },
        {
          access,
          modelsDirectory: place,
          choice: { precision: "auto", architecture: process.arch, gpu: false },
          maxBytes: 10_000,
          force: false,
          events: { onPlan() {}, onProgress() {}, onFile() {}, onCheck() {} },
          signal: new AbortController().signal,
          sleep: async () => {},
        },
      ),
    );
    expect(message).toMatch(/^config\.json: announced with 1000 bytes, got \d+ or more/);
    const [staging, ...more] = await readdir(place);
    expect(more).toEqual([]);
    expect(await readdir(join(place, staging as string))).not.toContain("config.json.part");
  });
});
