import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ServiceError, UsageError } from "#platform/errors.ts";
import { jsonBody } from "#platform/http/body/read-json-body.ts";
import { takeReceivedBody } from "#platform/http/body/received-body.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { openRoute } from "#platform/http/open-route.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";

const log = createLogger("test", "silent");
const errorStyleOf = (path: string) => (path.startsWith("/v1/") ? ("openai" as const) : ("plain" as const));
const Body = Type.Object(
  { inputs: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }), mode: Type.Optional(Type.Integer()) },
  { additionalProperties: false },
);

function routes() {
  return new Elysia()
    .post("/api/echo", ({ body }) => ({ count: body.inputs.length }), { ...jsonBody(Body) })
    .post("/v1/echo", ({ body }) => ({ count: body.inputs.length }), { ...jsonBody(Body) })
    .post(
      "/api/length",
      async ({ request }) => ({ length: (takeReceivedBody(request)?.bytes ?? (await request.bytes())).byteLength }),
      {
        parse: "none",
      },
    )
    .get("/api/things/:id", ({ params }) => params)
    .get("/slow", async () => {
      await Bun.sleep(60);
      return { done: true };
    })
    .get("/livez", () => "ok", { detail: openRoute })
    .get("/api/busy", () => {
      throw new ServiceError("TOO_MANY_REQUESTS", "the queue is full", { retryAfterS: 1.2, details: { queued: 9 } });
    })
    .get("/v1/standby", () => {
      throw new ServiceError("AGENT_STANDBY", "on standby", { retryAfterS: 5, details: { peers: ["http://a:1"] } });
    })
    .delete(
      "/api/nothing",
      ({ set }) => {
        set.status = 204;
      },
      {
        response: { 204: Type.Void({ description: "It is gone." }) },
      },
    )
    .get("/api/bug", () => {
      throw new TypeError("secret detail");
    });
}

function start(apiKeys: string[] = []): HttpServer {
  const app = createHttpApp({
    about: { title: "test <api>", description: "for tests", version: "1" },
    authenticator: createAuthenticator({ apiKeys, log }),
    errorStyleOf,
    log,
    routes: [routes()],
  });
  return serveHttp(app, { host: "127.0.0.1", port: 0, maxBodyBytes: 500_000, errorStyleOf, log });
}

let server: HttpServer;
beforeAll(() => {
  server = start();
});
afterAll(() => server.stop(0));

async function ask(method: string, path: string, body?: string) {
  const response = await fetch(server.url + path, {
    method,
    ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

describe("requests that are wrong", () => {
  test.each([
    {
      name: "not JSON",
      body: "{bad",
      message: "the body is not valid JSON: Expected '}'",
      param: "body",
    },
    { name: "no body", body: "", message: "the body is empty: expected JSON", param: "body" },
    {
      name: "a number too large",
      body: '{"inputs":1e999}',
      message: "inputs: expected array, got Infinity",
      param: "inputs",
    },
    {
      name: "nested beyond all measure",
      body: `{"inputs":${"[".repeat(200_000)}${"]".repeat(200_000)}}`,
      message: "body: expected at most 64 levels of arrays and objects",
      param: "body",
    },
    { name: "a number as body", body: "3", message: "body: expected object, got 3", param: "body" },
    { name: "field missing", body: "{}", message: "inputs: expected array, got nothing", param: "inputs" },
    {
      name: "wrong item",
      body: '{"inputs":["a",7]}',
      message: "inputs.1: expected string, got 7",
      param: "inputs.1",
    },
    {
      name: "no items",
      body: '{"inputs":[]}',
      message: "inputs: expected array of at least 1 item, got []",
      param: "inputs",
    },
    {
      name: "unknown field",
      body: '{"inputs":["a"],"inptu":1}',
      message: "inptu: unknown field",
      param: "inptu",
    },
    {
      name: "many at once",
      body: '{"inputs":[1,2,3,4,5]}',
      message:
        "inputs.0: expected string, got 1; inputs.1: expected string, got 2; inputs.2: expected string, got 3; and more",
      param: "inputs.0",
    },
  ])("$name", async ({ body, message, param }) => {
    const plain = await ask("POST", "/api/echo", body);
    expect(plain.status).toBe(400);
    expect(plain.body).toEqual({ error: message, code: "INVALID_REQUEST", param });
    const openai = await ask("POST", "/v1/echo", body);
    expect(openai.status).toBe(400);
    expect(openai.body).toEqual({
      error: { message, type: "invalid_request_error", param, code: "invalid_request" },
    });
  });

  test.each([
    { name: "unknown path", method: "GET", path: "/nope", status: 404, code: "NOT_FOUND", allow: null },
    { name: "wrong method", method: "GET", path: "/api/echo", status: 405, code: "METHOD_NOT_ALLOWED", allow: "POST" },
    {
      name: "wrong method of a path with a parameter",
      method: "DELETE",
      path: "/api/things/4",
      status: 405,
      code: "METHOD_NOT_ALLOWED",
      allow: "GET, HEAD",
    },
    {
      name: "parameter without value",
      method: "GET",
      path: "/api/things/",
      status: 404,
      code: "NOT_FOUND",
      allow: null,
    },
  ])("$name", async ({ method, path, status, code, allow }) => {
    const answer = await ask(method, path);
    expect(answer.status).toBe(status);
    expect(answer.body["code"]).toBe(code);
    expect(answer.headers.get("allow")).toBe(allow);
  });
});

test("a service error carries its code, its details and when to come back", async () => {
  const busy = await ask("GET", "/api/busy");
  expect(busy.status).toBe(429);
  expect(busy.headers.get("retry-after")).toBe("2");
  expect(busy.body).toEqual({ error: "the queue is full", code: "TOO_MANY_REQUESTS", queued: 9 });
  const standby = await ask("GET", "/v1/standby");
  expect(standby.status).toBe(503);
  expect(standby.body).toEqual({
    error: { message: "on standby", type: "server_error", param: null, code: "agent_standby" },
    peers: ["http://a:1"],
  });
});

describe("an error where a browser asked for a page", () => {
  const browser = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };

  test("is a page that says what is wrong and leads back, with the status and the headers of the error", async () => {
    for (const [path, status, text] of [
      ["/nope/%3Cscript%3E", 404, "there is no /nope/%3Cscript%3E"],
      ["/api/busy", 429, "the queue is full"],
      ["/v1/standby", 503, "on standby"],
    ] as const) {
      const answer = await fetch(server.url + path, { headers: browser });
      const html = await answer.text();
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/);
      expect(html).toContain(text);
      expect(html).toContain('<a href="/">');
      expect(html).not.toContain("<script>");
    }
    expect((await fetch(`${server.url}/api/busy`, { headers: browser })).headers.get("retry-after")).toBe("2");
  });

  test("is JSON for all others, and for what is sent", async () => {
    for (const accept of ["*/*", "application/json, text/html", "application/json"])
      expect((await fetch(`${server.url}/nope`, { headers: { accept } })).headers.get("content-type")).toContain(
        "json",
      );
    const sent = await fetch(`${server.url}/api/echo`, { method: "POST", headers: browser, body: "{" });
    expect(sent.headers.get("content-type")).toContain("json");
  });

  test("leads to the login where a key is needed", async () => {
    const closed = start(["a-configured-key"]);
    const answer = await fetch(`${closed.url}/nope`, { headers: browser });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain('<a href="/">Log in');
    await closed.stop(0);
  });
});

test("an unexpected error tells the client nothing of the inside", async () => {
  const answer = await ask("GET", "/api/bug");
  expect(answer.status).toBe(500);
  expect(answer.body["code"]).toBe("INTERNAL");
  expect(JSON.stringify(answer.body)).not.toContain("secret");
});

function chunked(length: number): ReadableStream<Uint8Array> {
  let left = length;
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) return controller.close();
      const part = new Uint8Array(Math.min(left, 65_536)).fill(97);
      left -= part.byteLength;
      controller.enqueue(part);
    },
  });
}

describe("the size of a body", () => {
  test.each([
    { name: "announced, 10 MB", body: () => "x".repeat(10_000_000), status: 413 },
    { name: "announced, 100 MB", body: () => "x".repeat(100_000_000), status: 413 },
    { name: "announced, one byte over", body: () => "x".repeat(500_001), status: 413 },
    { name: "announced, at the limit", body: () => "x".repeat(500_000), status: 200 },
    { name: "chunked, 10 MB", body: () => chunked(10_000_000), status: 413 },
    { name: "chunked, at the limit", body: () => chunked(500_000), status: 200 },
    { name: "chunked, empty", body: () => chunked(0), status: 200 },
  ])("$name", async ({ body, status }) => {
    const response = await fetch(`${server.url}/api/length`, { method: "POST", body: body() });
    expect(response.status).toBe(status);
    const answer = (await response.json()) as Record<string, unknown>;
    if (status === 413) {
      expect(answer).toEqual({ error: "the body is larger than 500000 bytes", code: "PAYLOAD_TOO_LARGE" });
    } else expect(answer["length"]).toBeLessThanOrEqual(500_000);
  });
});

test("clients that vanish in the middle of a body or before the answer leave the server running", async () => {
  for (const text of [
    "POST /api/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n{",
    "POST /api/length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n",
    "\u0000\u0001 nonsense\r\n\r\n",
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => {
        socket.write(text, () => socket.destroy());
      });
      socket.on("close", () => resolve());
      socket.on("error", () => {});
    });
  }
  expect((await fetch(`${server.url}/livez`)).status).toBe(200);
});

describe("API key", () => {
  let locked: HttpServer;
  beforeAll(() => {
    locked = start(["first-key", "second-key"]);
  });
  afterAll(() => locked.stop(0));

  test.each([
    { name: "none", header: undefined, status: 401 },
    { name: "wrong", header: "Bearer nope", status: 401 },
    { name: "empty", header: "Bearer ", status: 401 },
    { name: "another scheme", header: "Basic first-key", status: 401 },
    { name: "a key with more behind it", header: "Bearer first-keyx", status: 401 },
    { name: "the first", header: "Bearer first-key", status: 200 },
    { name: "the second, scheme in small letters", header: "bearer second-key", status: 200 },
  ])("$name", async ({ header, status }) => {
    const response = await fetch(
      `${locked.url}/api/things/1`,
      header === undefined ? {} : { headers: { authorization: header } },
    );
    expect(response.status).toBe(status);
    if (status === 401) {
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await response.json()).toMatchObject({ code: "UNAUTHORIZED" });
    }
  });

  test("the OpenAPI document says what the guard answers, on routes that need one", async () => {
    const answer = await fetch(`${locked.url}/openapi/json`, { headers: { authorization: "Bearer first-key" } });
    const { paths } = (await answer.json()) as { paths: Record<string, Record<string, { responses: object }>> };
    const statuses = (path: string, method: string) => Object.keys(paths[path]?.[method]?.responses ?? {});
    expect(statuses("/api/echo", "post")).toEqual(expect.arrayContaining(["401", "403", "429"]));
    expect(statuses("/livez", "get")).not.toContain("401");
    expect(paths["/api/nothing"]?.["delete"]?.responses).toMatchObject({ 204: { description: "It is gone." } });
    expect(JSON.stringify(paths["/api/nothing"])).not.toContain("void");
  });

  test.each(["/livez", "/openapi", "/openapi/json"])("%s is open", async (path) => {
    expect((await fetch(locked.url + path)).status).toBe(200);
  });

  test("a short host name does not open a route by another path", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(locked.port, "127.0.0.1", () => {
        socket.write("GET /openapi/api/things/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
      });
      let text = "";
      socket.on("data", (piece) => {
        text += piece;
      });
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
    });
    expect(answer).toStartWith("HTTP/1.1 401 ");
  });

  test("paths that do not exist are not told apart without a key", async () => {
    expect((await fetch(`${locked.url}/nope`)).status).toBe(401);
  });
});

describe("the OpenAPI page", () => {
  test("loads everything it needs from this server", async () => {
    const response = await fetch(`${server.url}/openapi`);
    const html = await response.text();
    expect(html).toContain("test &lt;api&gt;");
    expect(html).not.toMatch(/https?:/);
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] as string);
    expect(files.length).toBe(3);
    for (const file of files) {
      const answer = await fetch(server.url + file);
      expect(answer.status).toBe(200);
      expect((await answer.text()).length).toBeGreaterThan(10);
    }
  });

  test("describes the routes and not itself", async () => {
    const document = (await (await fetch(`${server.url}/openapi/json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { requestBody?: unknown }>>;
    };
    expect(document.openapi).toBe("3.0.3");
    expect(Object.keys(document.paths)).toContain("/api/things/{id}");
    expect(Object.keys(document.paths).filter((path) => path.startsWith("/openapi"))).toEqual([]);
    expect(JSON.stringify(document.paths["/api/echo"]?.["post"]?.requestBody)).toContain("inputs");
  });
});

test("a port in use is a usage error that names it", () => {
  const app = new Elysia().get("/", () => "ok");
  const attempt = () => serveHttp(app, { host: "127.0.0.1", port: server.port, log });
  expect(attempt).toThrow(UsageError);
  expect(attempt).toThrow(`port ${server.port} on 127.0.0.1 is in use`);
});

test("an address that the machine does not have is a usage error", () => {
  expect(() => serveHttp(new Elysia(), { host: "192.0.2.1", port: 0, log })).toThrow(UsageError);
});

test("stop finishes the request in flight and accepts no more", async () => {
  const stopping = start();
  const slow = fetch(`${stopping.url}/slow`);
  while (stopping.inFlight() === 0) await Bun.sleep(1);
  const stopped = stopping.stop(5000);
  expect((await slow).status).toBe(200);
  await stopped;
  await expect(fetch(`${stopping.url}/livez`)).rejects.toThrow();
});

test("an API that only reads refuses every request that may change something, after the guard and before its body", async () => {
  const refusal = () =>
    new ServiceError("NOT_LEADING", "changes are made at http://a", { details: { leader: "http://a" } });
  const app = createHttpApp({
    about: { title: "test", description: "for tests", version: "1" },
    authenticator: createAuthenticator({ apiKeys: ["a-key"], log }),
    log,
    routes: [routes()],
    refuseChanges: refusal,
  });
  const reading = serveHttp(app, { host: "127.0.0.1", port: 0, log });
  const send = async (method: string, path: string, key = "a-key") => {
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch(reading.url + path, {
      method,
      headers,
      ...(method === "POST" ? { body: "{bad" } : {}),
    });
    return { status: response.status, text: await response.text() };
  };
  expect((await send("GET", "/api/things/7")).status).toBe(200);
  for (const [method, path] of [
    ["POST", "/api/echo"],
    ["DELETE", "/api/nothing"],
  ] as const) {
    const refused = await send(method, path);
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('"leader":"http://a"')]);
    expect((await send(method, path, "wrong")).status).toBe(401);
  }
  await reading.stop(0);
});
