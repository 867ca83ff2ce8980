import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { Elysia } from "elysia";
import { UsageError } from "#platform/errors.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import type { ServerCertificate } from "#platform/http/tls/server-certificate.ts";
import { watchKeyPair } from "#platform/http/tls/watch-key-pair.ts";
import { createLogger } from "#platform/log.ts";
import { makeCertificates } from "../../../fakes/certificates.ts";
import { changeableCertificate } from "../../../fakes/server-certificate.ts";

const { authority, issue } = await makeCertificates();
const log = createLogger("test", "silent");
const directory = mkdtempSync(join(tmpdir(), "thormesh-tls-"));
const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
const [first, second] = [await issue("first"), await issue("second")];

const opened: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.stop();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Replaces a file as programs that renew certificates do. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function start(nowMs: () => number = Date.now): { server: HttpServer; tls: ServerCertificate } {
  put(files.certFile, first.cert);
  put(files.keyFile, first.key);
  const tls = watchKeyPair(files, { what: "x.tls", log, nowMs, lookEachMs: 10 });
  const answer = async (request: Request) => new Response(await request.text());
  const server = serveHttp({ fetch: answer }, { host: "127.0.0.1", port: 0, log, tls });
  opened.push(tls, { stop: () => server.stop(0) });
  return { server, tls };
}

async function connection(port: number): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, ca: authority });
  await new Promise((resolve) => {
    socket.once("secureConnect", resolve);
    // One that was made as a listener closed.
    socket.once("error", resolve);
    socket.once("close", resolve);
  });
  socket.on("error", () => undefined);
  return socket;
}

async function shown(port: number): Promise<unknown> {
  const socket = await connection(port);
  const name = socket.getPeerCertificate()?.subject?.CN;
  socket.destroy();
  return name;
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await Bun.sleep(5);
}

const post = (server: HttpServer, body: string) =>
  fetch(server.url, { method: "POST", body, tls: { ca: authority } }).then((response) => response.text());

test("answers are encrypted, and a client of another authority is told so", async () => {
  const { server } = start();
  expect(server.url).toStartWith("https://127.0.0.1:");
  expect(await post(server, "hello")).toBe("hello");
  await expect(fetch(server.url)).rejects.toThrow(/certificate/);
  await expect(fetch(server.url.replace("https", "http"))).rejects.toThrow();
});

test("a new certificate is in force without a restart, and what is under way is answered", async () => {
  const { server } = start();
  const socket = await connection(server.port);
  let received = "";
  socket.on("data", (data) => (received += String(data)));
  socket.write("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nab");
  await until(() => server.inFlight() === 1);
  put(files.certFile, second.cert);
  put(files.keyFile, second.key);
  await until(async () => (await shown(server.port)) === "second");
  socket.write("cd");
  await until(() => received.includes("abcd"));
  expect(received).toMatch(/connection: close/i);
  expect(await post(server, "hello")).toBe("hello");
  await until(async () =>
    (await Promise.all(Array.from({ length: 8 }, () => shown(server.port)))).every((name) => name === "second"),
  );
  socket.destroy();
});

test("new files that can't be used change nothing, and what is wrong with them is said until it is mended", async () => {
  const { server, tls } = start();
  expect(tls.problem()).toBeNull();
  put(files.certFile, second.cert);
  await until(() => tls.problem() !== null);
  expect(tls.problem()).toMatch(
    /new files can't be used, so the previous ones stay in use: x\.tls\.keyFile: .* does not match/,
  );
  expect(await shown(server.port)).toBe("first");
  put(files.keyFile, second.key);
  await until(() => tls.problem() === null);
  await until(async () => (await shown(server.port)) === "second");
});

test("SIGHUP has the files read at once", async () => {
  put(files.certFile, first.cert);
  put(files.keyFile, first.key);
  const tls = watchKeyPair(files, { what: "x.tls", log, lookEachMs: 3_600_000 });
  opened.push(tls);
  put(files.certFile, second.cert);
  put(files.keyFile, second.key);
  process.kill(process.pid, "SIGHUP");
  await until(() => tls.current().cert.trim() === second.cert.trim());
});

test("a certificate that ended, or has not begun, is said while it is served", () => {
  expect(start(() => Date.now() + 2 * 86_400_000).tls.problem()).toMatch(/^x\.tls: the certificate expired /);
  expect(start(() => Date.now() - 2 * 86_400_000).tls.problem()).toMatch(
    /^x\.tls: the certificate is not valid before /,
  );
});

test("a port that is in use is not shared, also not between two that encrypt", () => {
  const { server, tls } = start();
  const again = () => serveHttp({ fetch: () => new Response() }, { host: "127.0.0.1", port: server.port, log, tls });
  expect(again).toThrow(UsageError);
  expect(again).toThrow(`port ${server.port} on 127.0.0.1 is in use`);
});

test("an app finds its routes by any host of three characters; by a shorter one guard and router would differ, so it is refused", async () => {
  const routes = new Elysia().get("/closed/:name", ({ params }) => ({ name: params.name }));
  const app = createHttpApp({
    about: { title: "test", description: "for tests", version: "1" },
    authenticator: createAuthenticator({ apiKeys: ["a-key-of-some-length"], log }),
    ...{ log, routes: [routes], encrypted: true },
  });
  const tls = changeableCertificate(first);
  const server = serveHttp(app, { host: "127.0.0.1", port: 0, log, tls });
  opened.push({ stop: () => server.stop(0) });
  const ask = async (host: string, path: string, authorization: string) => {
    const answer = await fetch(server.url + path, { headers: { host, authorization }, tls: { ca: authority } });
    return [answer.status, ((await answer.json()) as { name?: string }).name];
  };
  const key = "Bearer a-key-of-some-length";
  for (const host of ["abc", "a.b", "[::1]", "127.0.0.1:1", "controller.example:8443"]) {
    expect(await ask(host, "/closed/x", key)).toEqual([200, "x"]);
    expect(await ask(host, "/closed/x", "")).toEqual([401, undefined]);
  }
  for (const host of ["a", "ab"]) expect(await ask(host, "/closed/x", key)).toEqual([400, undefined]);
  // A port is no part of the host, and makes it long enough.
  expect(await ask("a:1", "/closed/x", key)).toEqual([200, "x"]);
});
