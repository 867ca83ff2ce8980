import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { Elysia } from "elysia";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";

const log = createLogger("test", "silent");

function start(more: { idleTimeoutS?: number; gate?: Promise<void>; onCount?: () => void } = {}): HttpServer {
  const routes = new Elysia()
    .get("/counted", () => {
      more.onCount?.();
      return { counted: true };
    })
    .post("/counted", () => {
      more.onCount?.();
      return { counted: true };
    })
    .get("/said", () => ({ said: true }))
    .get("/gated", async () => {
      await more.gate;
      return { gated: true };
    });
  const about = { title: "test", description: "for tests", version: "1" };
  const app = createHttpApp({ about, authenticator: createAuthenticator({ apiKeys: [], log }), log, routes: [routes] });
  const { idleTimeoutS = 120 } = more;
  return serveHttp(app, { host: "127.0.0.1", port: 0, log, idleTimeoutS });
}

/** A connection and all that came over it. */
function open(server: HttpServer, text: string) {
  const socket: Socket = connect(server.port, "127.0.0.1", () => socket.write(text));
  let received = "";
  const closed = new Promise<string>((resolve) => {
    socket.on("close", () => resolve(received));
  });
  socket.on("error", () => {});
  const has = (part: string) =>
    new Promise<void>((resolve) => {
      const look = () => received.includes(part) && resolve();
      socket.on("data", look);
      look();
    });
  socket.on("data", (bytes) => {
    received += bytes;
  });
  return { socket, closed, has };
}

let server: HttpServer;
beforeAll(() => {
  server = start();
});
afterAll(() => server.stop(0));

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`;

describe("what is no request is answered and cut off", () => {
  const post = (headers: string) => `POST /said HTTP/1.1\r\nhost: a\r\n${headers}\r\n\r\n`;
  test.each([
    { name: "a header of 100 kB", text: post(`x: ${"y".repeat(100_000)}`), status: 431 },
    { name: "500 headers", text: post(Array.from({ length: 500 }, (_, i) => `x-${i}: 1`).join("\r\n")), status: 431 },
    { name: "an address of 70 kB", text: get(`/${"a".repeat(70_000)}`), status: 431 },
    { name: "no HTTP", text: "hello\r\n\r\n", status: 400 },
    { name: "TLS", text: "\u0016\u0003\u0001\u0002\u0000\u0001\u0000", status: 400 },
    { name: "no host", text: "GET /said HTTP/1.1\r\n\r\n", status: 400 },
    { name: "a length that is none", text: post("content-length: abc"), status: 400 },
    { name: "a length below zero", text: post("content-length: -5"), status: 400 },
    { name: "two lengths", text: post("content-length: 3\r\ncontent-length: 9"), status: 400 },
    { name: "a length and chunks", text: post("content-length: 3\r\ntransfer-encoding: chunked"), status: 400 },
  ])("$name: $status", async ({ text, status }) => {
    expect(await open(server, text).closed).toStartWith(`HTTP/1.1 ${status} `);
  });
});

test("requests that come at once over one connection are answered in order", async () => {
  const connection = open(
    server,
    `${get("/said")}${get("/nope")}GET /said HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`,
  );
  const statuses = (await connection.closed).match(/HTTP\/1\.1 \d+/g);
  expect(statuses).toEqual(["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
});

test("hundreds who begin a request and do not end it hold up nobody", async () => {
  const halves = Array.from({ length: 300 }, (_, i) =>
    open(
      server,
      i % 2 === 0
        ? "GET /said HTTP/1.1\r\nhost: a\r\nx: "
        : "POST /said HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{",
    ),
  );
  await Promise.all(halves.map(({ socket }) => socket.connecting && new Promise((r) => socket.once("connect", r))));
  for (let i = 0; i < 20; i += 1) expect((await fetch(`${server.url}/said`)).status).toBe(200);
  for (const { socket } of halves) socket.destroy();
});

test("a connection that is idle in the middle of a request is closed", async () => {
  const impatient = start({ idleTimeoutS: 1 });
  try {
    const half = open(impatient, "GET /said HTTP/1.1\r\nhost: a\r\nx: ");
    await half.closed;
    expect((await fetch(`${impatient.url}/said`)).status).toBe(200);
  } finally {
    await impatient.stop(0);
  }
});

test("while it stops: the answer under way comes whole and says that the connection ends; idle connections are closed", async () => {
  let pass = () => {};
  const gate = new Promise<void>((resolve) => {
    pass = resolve;
  });
  const stopping = start({ gate });
  const idle = open(stopping, get("/said"));
  await idle.has('{"said":true}');
  const busy = open(stopping, get("/gated"));
  while (stopping.inFlight() === 0) await Bun.sleep(1);
  const stopped = stopping.stop(20_000);
  await idle.closed;
  pass();
  const answer = await busy.closed;
  expect(answer).toStartWith("HTTP/1.1 200 ");
  expect(answer.toLowerCase()).toContain("\r\nconnection: close\r\n");
  expect(answer).toEndWith('{"gated":true}');
  await stopped;
});

test.each([
  "GET /counted HTTP/1.1\r\nhost: a\r\n\r\n",
  "POST /counted HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nabcd",
  "POST /counted HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
])("thousands of requests that come at once over few connections leave room for others: %j", async (request) => {
  let inTurn = 0;
  let most = 0;
  const onCount = () => {
    if (inTurn === 0) {
      setImmediate(() => {
        inTurn = 0;
      });
    }
    inTurn += 1;
    most = Math.max(most, inTurn);
  };
  const flooded = start({ onCount });
  const flood = Array.from({ length: 20 }, () => open(flooded, request.repeat(2_000)));
  try {
    const other = open(flooded, get("/said"));
    await other.has("HTTP/1.1 200");
    for (const { socket } of flood) socket.end();
    await Promise.all(flood.map(({ closed }) => closed));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(128);
    other.socket.destroy();
  } finally {
    for (const { socket } of flood) socket.destroy();
    await flooded.stop(0);
  }
});
