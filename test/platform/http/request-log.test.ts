import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Writable } from "node:stream";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import pino from "pino";
import { ServiceError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { createRequestLog } from "#platform/http/log-requests.ts";
import { openRoute } from "#platform/http/open-route.ts";
import { serveHttp } from "#platform/http/serve-http.ts";

function recordingLog(level: "info" | "debug") {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, log: pino({ level, base: null, timestamp: false }, stream) };
}

const headers = { authorization: "Bearer k" };

async function withServer<T>(
  level: "info" | "debug",
  use: (url: string, lines: Record<string, unknown>[]) => Promise<T>,
  maxBodyBytes = 10,
) {
  const { log, lines } = recordingLog(level);
  const routes = new Elysia()
    .post("/echo", ({ body }) => body, jsonBody(Type.Array(Type.Integer())))
    .get("/fine", () => "ok", { detail: openRoute })
    .get(
      "/busy",
      () => {
        throw new ServiceError("TOO_MANY_REQUESTS", "the queue is full", { retryAfterS: 1 });
      },
      { detail: openRoute },
    )
    .get(
      "/bug",
      () => {
        throw new TypeError("a secret");
      },
      { detail: openRoute },
    );
  const about = { title: "test", description: "for tests", version: "1" };
  const app = createHttpApp({
    about,
    authenticator: createAuthenticator({ apiKeys: ["k"], log }),
    log,
    routes: [routes],
  });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0, maxBodyBytes, log });
  try {
    return await use(server.url, lines);
  } finally {
    await server.stop(0);
  }
}

describe("a request's id", () => {
  test.each([
    { name: "letters and digits", given: "job-7f.3_A:b/c+d=e@f~g", kept: true },
    { name: "as long as may be", given: "x".repeat(128), kept: true },
    { name: "too long", given: "x".repeat(129), kept: false },
    { name: "a space", given: "a b", kept: false },
    { name: "quotes", given: '"a"', kept: false },
    { name: "empty", given: "", kept: false },
    { name: "not ASCII", given: "\u00e9", kept: false },
  ])("$name: kept $kept", ({ given, kept }) =>
    withServer("info", async (url) => {
      const answer = await fetch(`${url}/fine`, { headers: { "x-request-id": given } });
      const id = answer.headers.get("x-request-id");
      if (kept) expect(id).toBe(given);
      else expect(id).toMatch(/^[0-9a-f]{8}-/);
    }),
  );

  test("each request without one gets its own, whatever the answer", () =>
    withServer("info", async (url) => {
      const answers = await Promise.all([
        fetch(`${url}/fine`),
        fetch(`${url}/fine`),
        fetch(`${url}/busy`),
        fetch(`${url}/bug`),
        fetch(`${url}/locked`),
        fetch(`${url}/nope`, { headers }),
        fetch(`${url}/fine`, { method: "OPTIONS", headers }),
        fetch(`${url}/fine`, { method: "POST", body: "x".repeat(11), headers }),
        fetch(`${url}/openapi`),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 500, 401, 404, 204, 413, 200]);
      expect(new Set(answers.map(({ headers }) => headers.get("x-request-id"))).size).toBe(answers.length);
    }));
});

describe("the log", () => {
  test("has each failed request with its id and its reason", () =>
    withServer("info", async (url, lines) => {
      for (const [path, id] of [
        ["/fine", "1"],
        ["/busy", "2"],
        ["/nope?key=secret", "3"],
      ] as const) {
        await fetch(url + path, { headers: { ...headers, "x-request-id": id } });
      }
      await fetch(`${url}/fine`, {
        method: "POST",
        body: "x".repeat(11),
        headers: { ...headers, "x-request-id": "4" },
      });
      expect(lines.map(({ durationMs, ...rest }) => [typeof durationMs, rest])).toEqual([
        [
          "number",
          {
            level: 30,
            requestId: "2",
            method: "GET",
            path: "/busy",
            status: 429,
            code: "TOO_MANY_REQUESTS",
            reason: "the queue is full",
            msg: "request failed",
          },
        ],
        [
          "number",
          {
            level: 30,
            requestId: "3",
            method: "GET",
            path: "/nope",
            status: 404,
            code: "NOT_FOUND",
            reason: "there is no /nope",
            msg: "request failed",
          },
        ],
        [
          "number",
          {
            level: 30,
            requestId: "4",
            method: "POST",
            path: "/fine",
            status: 413,
            code: "PAYLOAD_TOO_LARGE",
            reason: "the body is larger than 10 bytes",
            msg: "request failed",
          },
        ],
      ]);
    }));

  test("has every request at debug", () =>
    withServer("debug", async (url, lines) => {
      await fetch(`${url}/fine`, { headers: { "x-request-id": "a" } });
      expect(lines).toEqual([
        {
          level: 20,
          requestId: "a",
          method: "GET",
          path: "/fine",
          status: 200,
          durationMs: expect.any(Number),
          msg: "request",
        },
      ]);
    }));

  test("a failure that nobody expected is an error", () =>
    withServer("info", async (url, lines) => {
      await fetch(`${url}/bug`, { headers: { "x-request-id": "a" } });
      expect(lines.find(({ msg }) => msg === "request failed")).toMatchObject({
        level: 50,
        requestId: "a",
        status: 500,
      });
      expect(JSON.stringify(lines)).toContain("a secret");
    }));

  test.each([
    { name: "a chunked body", headers: "transfer-encoding: chunked\r\n\r\n5\r\nab" },
    { name: "a small body", headers: "content-length: 10\r\n\r\n{" },
    { name: "a large body", headers: "content-length: 400000\r\n\r\n{" },
    { name: "a packed body", headers: "content-encoding: gzip\r\ncontent-length: 90\r\n\r\n{" },
    { name: "a body that is refused", headers: "content-length: 900000000000\r\n\r\n{" },
  ])("a client that disconnects in the middle of $name is not taken for a bug", ({ headers: sent }) =>
    withServer(
      "info",
      async (url, lines) => {
        const type = "host: a\r\nauthorization: Bearer k\r\ncontent-type: application/json\r\n";
        for (let index = 0; index < 5; index += 1) {
          await new Promise<void>((resolve) => {
            const socket = connect(Number(new URL(url).port), "127.0.0.1");
            socket.write(`POST /echo HTTP/1.1\r\n${type}${sent}`, () => setTimeout(() => socket.destroy(), 10));
            socket.on("error", () => {});
            socket.on("close", () => resolve());
          });
        }
        await Bun.sleep(50);
        expect(lines.filter(({ level }) => Number(level) >= 50)).toEqual([]);
        expect((await fetch(`${url}/fine`)).status).toBe(200);
      },
      1_000_000,
    ),
  );

  test("is not flooded: of more than a hundred failures a second the rest is counted", () => {
    const { log, lines } = recordingLog("info");
    let nowMs = 0;
    const logRequest = createRequestLog(log, () => nowMs);
    const fail = () =>
      logRequest({
        requestId: "a",
        method: "GET",
        path: () => "/",
        durationMs: 1,
        response: new Response(null, { status: 429 }),
        failure: new ServiceError("TOO_MANY_REQUESTS", "busy"),
      });
    for (let i = 0; i < 250; i += 1) fail();
    expect(lines).toHaveLength(100);
    nowMs = 999;
    fail();
    expect(lines).toHaveLength(100);
    nowMs = 1000;
    fail();
    fail();
    expect(lines.slice(100)).toMatchObject([{ suppressed: 151 }, { status: 429 }]);
    expect(lines[101]).not.toHaveProperty("suppressed");
  });
});
