import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";

const maxBodyBytes = 10_000;
const log = createLogger("test", "silent");
let server: HttpServer;
beforeAll(() => {
  const Body = Type.Object({ text: Type.String() }, { additionalProperties: false });
  const routes = new Elysia()
    .post("/say", ({ body }) => body, { ...jsonBody(Body) })
    .post("/say-soon", ({ body }) => body, { ...jsonBody(Body, 300) })
    .get("/things/:id", ({ params }) => params);
  const about = { title: "test", description: "for tests", version: "1" };
  const app = createHttpApp({ about, authenticator: createAuthenticator({ apiKeys: [], log }), log, routes: [routes] });
  server = serveHttp(app, { host: "127.0.0.1", port: 0, maxBodyBytes, receiveMs: 300, log });
});
afterAll(() => server.stop(0));

async function say(body: string | Uint8Array<ArrayBuffer> | ReadableStream, headers: Record<string, string>) {
  const response = await fetch(`${server.url}/say`, { method: "POST", body, headers });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const json = { "content-type": "application/json" };
const bytes = (...values: number[]) => new Uint8Array(values);
const quoted = (inner: number[]) => new Uint8Array([...Buffer.from('{"text":"'), ...inner, ...Buffer.from('"}')]);

describe("the type of a body", () => {
  test.each([
    { type: "application/json", status: 200 },
    { type: "application/json; charset=utf-8", status: 200 },
    { type: "APPLICATION/JSON", status: 200 },
    { type: "application/problem+json", status: 200 },
    { type: "text/json", status: 200 },
    { type: "text/plain", status: 415 },
    { type: "application/x-www-form-urlencoded", status: 415 },
    { type: "multipart/form-data; boundary=x", status: 415 },
    { type: "application/jsonx", status: 415 },
    { type: "application/xml; application/json", status: 415 },
  ])("$type: $status", async ({ type, status }) => {
    const answer = await say('{"text":"a"}', { "content-type": type });
    expect(answer.status).toBe(status);
    if (status === 415) {
      expect(answer.body).toEqual({
        error: `content-type: expected application/json, got "${type}"`,
        code: "UNSUPPORTED_MEDIA_TYPE",
        param: "content-type",
      });
    }
  });

  test.each([
    { name: "none at all is taken for JSON", headers: {}, status: 200 },
    { name: "not so from a page of this server", headers: { origin: "ORIGIN" }, status: 415 },
    { name: "a page of another origin is refused as such", headers: { origin: "https://example.com" }, status: 403 },
  ])("$name", async ({ headers, status }) => {
    const sent = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace("ORIGIN", server.url)]),
    );
    expect((await say(Buffer.from('{"text":"a"}'), sent)).status).toBe(status);
  });
});

describe("the bytes of a body", () => {
  test.each([
    { name: "a byte order mark", body: bytes(0xef, 0xbb, 0xbf, ...Buffer.from('{"text":"a"}')), text: "a" },
    { name: "a lone surrogate, escaped", body: '{"text":"\\ud800"}', text: "\ud800" },
    { name: "a replacement character that is meant", body: '{"text":"\ufffd"}', text: "\ufffd" },
    { name: "a null character, escaped", body: '{"text":"\\u0000"}', text: "\u0000" },
  ])("$name is taken", async ({ body, text }) => {
    const answer = await say(body, json);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ text });
  });

  test.each([
    { name: "a byte that is no UTF-8", body: quoted([0xff]), error: "the body is not valid UTF-8" },
    { name: "half a character", body: quoted([0xf0, 0x9f, 0x98]), error: "the body is not valid UTF-8" },
    { name: "UTF-16", body: Buffer.from('\ufeff{"text":"a"}', "utf16le"), error: "the body is not valid UTF-8" },
    { name: "NaN", body: '{"text":NaN}', error: /^the body is not valid JSON: / },
    { name: "more after it", body: '{"text":"a"} x', error: /^the body is not valid JSON: / },
    { name: "single quotes", body: "{'text':'a'}", error: /^the body is not valid JSON: / },
    { name: "a number instead of a text", body: '{"text":1e400}', error: "text: expected string, got Infinity" },
    { name: "a name of objects' own", body: '{"text":"a","__proto__":{}}', error: "__proto__: unknown field" },
  ])("$name is refused", async ({ body, error }) => {
    const answer = await say(body, json);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({
      error: typeof error === "string" ? error : expect.stringMatching(error),
      code: "INVALID_REQUEST",
      param: expect.any(String),
    });
  });
});

describe("a packed body", () => {
  const text = "robots ".repeat(200);
  const plain = Buffer.from(JSON.stringify({ text }));

  test.each([
    { encoding: "gzip", body: gzipSync(plain) },
    { encoding: "GZIP", body: gzipSync(plain) },
    { encoding: "x-gzip", body: gzipSync(plain) },
    { encoding: "deflate", body: deflateSync(plain) },
    { encoding: "br", body: brotliCompressSync(plain) },
    { encoding: "zstd", body: zstdCompressSync(plain) },
    { encoding: "identity", body: plain },
  ])("$encoding is unpacked", async ({ encoding, body }) => {
    const answer = await say(body, { ...json, "content-encoding": encoding });
    expect(answer).toMatchObject({ status: 200, body: { text } });
  });

  test("chunked, too", async () => {
    const packed = gzipSync(plain);
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(packed.subarray(0, 20));
        controller.enqueue(packed.subarray(20));
        controller.close();
      },
    });
    expect(await say(stream, { ...json, "content-encoding": "gzip" })).toMatchObject({ status: 200, body: { text } });
  });

  test.each([
    {
      name: "an encoding that is not known",
      encoding: "rot13",
      body: plain,
      status: 415,
      error: 'content-encoding: expected one of gzip, deflate, br, zstd, got "rot13"',
    },
    { name: "a name of objects' own", encoding: "constructor", body: plain, status: 415, error: /^content-encoding: / },
    { name: "no gzip", encoding: "gzip", body: plain, status: 400, error: "the body is not valid gzip" },
    {
      name: "gzip cut short",
      encoding: "gzip",
      body: gzipSync(plain).subarray(0, 30),
      status: 400,
      error: "the body is not valid gzip",
    },
    { name: "nothing", encoding: "gzip", body: new Uint8Array(), status: 400, error: /./ },
    {
      name: "much in little",
      encoding: "gzip",
      body: gzipSync(Buffer.alloc(50_000_000)),
      status: 413,
      error: `the body is larger than ${maxBodyBytes} bytes`,
    },
    {
      name: "more than is taken, in less than is taken",
      encoding: "zstd",
      body: zstdCompressSync(Buffer.alloc(maxBodyBytes + 1)),
      status: 413,
      error: `the decompressed body is larger than ${maxBodyBytes} bytes`,
    },
  ])("refused: $name", async ({ encoding, body, status, error }) => {
    const answer = await say(body, { ...json, "content-encoding": encoding });
    expect(answer.status).toBe(status);
    expect((answer.body as { error: string }).error).toMatch(error);
    if (status === 415) expect(answer.headers.get("accept-encoding")).toBe("gzip, deflate, br, zstd");
  });
});

describe("methods", () => {
  test.each([
    { method: "OPTIONS", path: "/say", status: 204, allow: "POST" },
    { method: "OPTIONS", path: "/things/4", status: 204, allow: "GET, HEAD" },
    { method: "OPTIONS", path: "/nope", status: 404, allow: null },
    { method: "HEAD", path: "/things/4", status: 200, allow: null },
    { method: "HEAD", path: "/say", status: 405, allow: "POST" },
    { method: "PUT", path: "/say", status: 405, allow: "POST" },
  ])("$method $path: $status", async ({ method, path, status, allow }) => {
    const response = await fetch(server.url + path, { method });
    expect(response.status).toBe(status);
    expect(response.headers.get("allow")).toBe(allow);
    if (method === "HEAD") expect(await response.text()).toBe("");
  });
});

test.each([
  { body: "of an announced length", headers: "content-length: 1000" },
  { body: "in chunks", headers: "transfer-encoding: chunked" },
])("a client that sends a byte now and then, $body, is answered 408 and its connection closed", async ({ headers }) => {
  const socket = connect(server.port, "127.0.0.1");
  let answer = "";
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("data", (data) => {
    answer += data;
  });
  socket.on("error", () => {});
  socket.write(`POST /say-soon HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${headers}\r\n\r\n`);
  const byte = headers.startsWith("content") ? " " : "1\r\n \r\n";
  const dripping = setInterval(() => socket.write(byte), 50);
  try {
    await closed;
  } finally {
    clearInterval(dripping);
    socket.destroy();
  }
  expect(answer).toStartWith("HTTP/1.1 408 ");
  expect(answer).toContain('"code":"REQUEST_TIMEOUT"');
});
