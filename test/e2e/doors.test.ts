import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { sendRaw, statusOf } from "../fakes/raw-http.ts";
import { type Program, startConfigured, temporaryDirectory } from "./program.ts";

const key = "a-key-of-the-operator";
let directory: ReturnType<typeof temporaryDirectory>;
const running: Program[] = [];

async function start(command: "agent" | "controller", name: string, config: object) {
  const settings = { stateDir: join(directory.path, name), ...config };
  const program = await startConfigured(command, settings, directory.path, { name });
  running.push(program);
  const { url } = JSON.parse(await program.untilLogged(`${command} started`));
  return { program, url: url as string, port: Number(new URL(url).port) };
}
type Started = Awaited<ReturnType<typeof start>>;

let locked: Record<"agent" | "controller", Started>;
let open: Record<"agent" | "controller", Started>;
beforeAll(async () => {
  directory = temporaryDirectory();
  const agent = (apiKeys: string[]) => ({
    broker: { url: "mqtt://127.0.0.1:9" },
    serving: { port: 0, grpc: { enabled: false }, apiKeys, threads: 1 },
    power: { board: "none" },
  });
  const controller = (apiKeys: string[]) => ({ broker: { port: 0 }, api: { port: 0, apiKeys } });
  locked = {
    agent: await start("agent", "locked-agent", agent([key])),
    controller: await start("controller", "locked-controller", controller([key])),
  };
  open = {
    agent: await start("agent", "open-agent", agent([])),
    controller: await start("controller", "open-controller", controller([])),
  };
});
afterAll(async () => {
  await Promise.all(running.map((program) => program.stop("SIGKILL")));
  directory.remove();
});

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly isOpen: boolean;
}

/** Routes of the program's own document, and those that it does not list. */
async function operationsOf({ url }: Started): Promise<Operation[]> {
  const answer = await fetch(`${url}/openapi/json`, { headers: { authorization: `Bearer ${key}` } });
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, { security?: unknown[] }>> };
  const listed = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{[^}]+\}/g, "1"),
      isOpen: security?.length === 0,
    })),
  );
  const hidden = ["/v1/models/a/b", "/openapi/api/v1/status", "/nowhere"].map((path) => ({
    method: "GET",
    path,
    isOpen: false,
  }));
  return [...listed, ...hidden];
}

const hosts = [
  "",
  " ",
  "/",
  "a/livez?",
  "a/openapi",
  "a b",
  "a@b",
  "a@localhost",
  "a#livez",
  "\\livez",
  "a\\openapi",
  "http://a/",
  "a:99999999",
  "a:b",
  "[::1",
  "::1",
  "[::1]x",
  "a%2flivez",
  "\u00e4",
  "a,b",
  "a\r\nhost: b",
];

/** Other spellings of a path, which a second parser may take for an open route. */
const targets = (path: string) => [
  `/x/openapi${path}`,
  `/openapi/..${path}`,
  `/livez/..${path}`,
  `/openapi\\..${path}`,
  `/${path}`,
  `http://localhost${path}`,
  `http://a/openapi${path}`,
  `${path}?/livez`,
  `${path}#/livez`,
  `/%6fpenapi/..${path}`,
];

/** Sends a body where a handler might read one, so that a handler that runs shows. */
const bodyOf = (method: string) =>
  method === "GET" ? "\r\n" : "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

describe.each(["agent", "controller"] as const)("the %s, with a key configured", (kind) => {
  test("no route answers without it, however the host is written; open ones do only to a host that can be read", async () => {
    const { port } = locked[kind];
    const operations = await operationsOf(locked[kind]);
    expect(operations.length).toBeGreaterThan(10);
    expect(operations.filter(({ isOpen }) => isOpen).length).toBeGreaterThan(0);
    for (const { method, path, isOpen } of operations) {
      const plain = statusOf(await sendRaw(port, `${method} ${path} HTTP/1.1\r\nhost: a\r\n${bodyOf(method)}`));
      // What an open route reads from a body is checked: this one is empty.
      const answered = method === "GET" ? 200 : 400;
      if (isOpen) expect({ path, status: plain }).toEqual({ path, status: plain === 503 ? 503 : answered });
      else expect({ method, path, status: plain }).toEqual({ method, path, status: 401 });
      for (const host of hosts) {
        const status = statusOf(
          await sendRaw(port, `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${bodyOf(method)}`),
        );
        expect({ method, path, host, refused: [0, 400].includes(status) }).toEqual({
          method,
          path,
          host,
          refused: true,
        });
      }
    }
  });

  test("every answer, refusals included, tells browsers not to guess its type, frame it or keep it", async () => {
    const { url } = locked[kind];
    for (const { method, path } of await operationsOf(locked[kind]))
      for (const headers of [{ authorization: `Bearer ${key}` }, undefined]) {
        const answer = await fetch(url + path, {
          method: method === "GET" ? "GET" : "OPTIONS",
          ...(headers === undefined ? {} : { headers }),
        });
        await answer.body?.cancel();
        const told = answer.headers;
        expect({ path, nosniff: told.get("x-content-type-options") }).toEqual({ path, nosniff: "nosniff" });
        expect({ path, policy: told.get("content-security-policy") }).toEqual({
          path,
          policy: expect.stringContaining("frame-ancestors 'none'"),
        });
        for (const name of ["cross-origin-resource-policy", "referrer-policy", "cache-control"])
          expect({ path, name, isSet: told.has(name) }).toEqual({ path, name, isSet: true });
        expect(told.has("access-control-allow-origin")).toBe(false);
      }
  });

  test("no other way to write a path leads to a route that needs it", async () => {
    const { port } = locked[kind];
    for (const { method, path, isOpen } of await operationsOf(locked[kind])) {
      if (isOpen) continue;
      for (const target of targets(path)) {
        for (const head of [`${method} ${target} HTTP/1.1\r\nhost: a\r\n`, `${method} ${target} HTTP/1.0\r\n`]) {
          const status = statusOf(await sendRaw(port, head + bodyOf(method)));
          expect({ head, refused: [0, 400, 401].includes(status) }).toEqual({ head, refused: true });
        }
      }
    }
  });

  test("probes of load balancers that speak HTTP/1.0 without a host are answered, on open routes only", async () => {
    const { port } = locked[kind];
    for (const { method, path, isOpen } of await operationsOf(locked[kind])) {
      const status = statusOf(await sendRaw(port, `${method} ${path} HTTP/1.0\r\n${bodyOf(method)}`));
      if (isOpen && method === "GET") expect([200, 503]).toContain(status);
      else expect({ method, path, status }).toEqual({ method, path, status: 400 });
    }
  });

  test("the key is asked for before the body: of one that never comes, and of one without an end", async () => {
    const { port } = locked[kind];
    for (const { method, path, isOpen } of await operationsOf(locked[kind])) {
      if (isOpen || method === "GET") continue;
      const announced = `${method} ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000000000000000\r\n\r\n{`;
      expect(await sendRaw(port, announced)).toMatch(/^HTTP\/1\.1 401 [\s\S]*connection: close/i);
    }
  });

  test("wrong keys are slowed down, counted and said; the right one is answered all the same", async () => {
    const { url, program } = locked[kind];
    const path = kind === "agent" ? "/models" : "/api/v1/fleet";
    const ask = async (bearer: string) =>
      (await fetch(url + path, { headers: { authorization: `Bearer ${bearer}` } })).status;
    const statuses = [];
    for (let index = 0; index < 200; index += 1) statuses.push(await ask(`wrong-key-${index}`));
    expect(statuses[0]).toBe(401);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(100);
    expect(statuses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
    expect(await ask(key)).toBe(200);
    expect(program.log()).toContain("a request had a wrong API key");
    const metrics = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })).text();
    expect(Number(/^thormesh_wrong_api_keys_total (\d+)/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(200);
  });
});

test("what is healthy is told to everybody, what it is called only to those with a key", async () => {
  const { url } = locked.agent;
  const ask = async (headers: Record<string, string>) => await (await fetch(`${url}/health`, { headers })).text();
  expect(await ask({})).not.toContain("ONNX");
  expect(await ask({ authorization: `Bearer ${key}` })).toContain("ONNX");
});

describe.each(["agent", "controller"] as const)("the %s, without keys", (kind) => {
  test.each([
    ["127.0.0.1", true],
    ["[::1]", true],
    ["localhost", true],
    ["thor.localhost", true],
    ["thor-1", true],
    ["thor-1.local", true],
    ["agent.default.svc.cluster.local", true],
    ["evil.example", false],
    ["127.0.0.1.evil.example", false],
    ["localhost.evil.example", false],
    ["evil.example.", false],
    ["local", true],
    ["xlocal.com", false],
  ])("a request for host %s is answered: %p", async (host, answered) => {
    const { port } = open[kind];
    for (const { method, path } of await operationsOf(open[kind])) {
      if (answered && method !== "GET") continue;
      const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\n${bodyOf(method)}`;
      const status = statusOf(await sendRaw(port, head));
      expect({ path, host, refused: status === 403 }).toEqual({ path, host, refused: !answered });
    }
  });

  test("a web page of another origin changes nothing, also where no body is read", async () => {
    const { port } = open[kind];
    const operations = (await operationsOf(open[kind])).filter(({ method }) => method !== "GET");
    expect(operations.length).toBeGreaterThan(2);
    for (const { method, path } of operations) {
      for (const line of ["origin: http://evil.example", "origin: null", "sec-fetch-site: cross-site"]) {
        const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${line}\r\n${bodyOf(method)}`;
        expect({ head, status: statusOf(await sendRaw(port, head)) }).toEqual({ head, status: 403 });
      }
      const own = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\norigin: http://127.0.0.1:${port}\r\n${bodyOf(method)}`;
      expect(statusOf(await sendRaw(port, own))).not.toBe(403);
    }
  });
});
