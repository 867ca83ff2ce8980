import { describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import pino from "pino";
import { ServiceError } from "#platform/errors.ts";
import { createAuthenticator, type IssuedKeys } from "#platform/http/guard/authenticate.ts";
import { CrossOriginAccess } from "#platform/http/guard/cross-origin-access.ts";
import { createRequestGuard, type RequestGuard } from "#platform/http/guard/guard-request.ts";
import type { Caller } from "#platform/http/guard/identify-caller.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import type { RouteRole } from "#platform/http/guard/roles.ts";

/** Keys of tenants that were issued, in a guard whose routes need roles. */
const issued: IssuedKeys = {
  required: false,
  identify: (key) =>
    new Map<string, Caller | ServiceError>([
      ["red", { tenant: "red", role: "embed", name: "key red" }],
      ["late", new ServiceError("UNAUTHORIZED", "key late expired")],
      ["blue", new ServiceError("TENANT_SUSPENDED", "tenant blue is suspended")],
    ]).get(key) ?? null,
};

/** Decision of a guard that has nothing to wait for. */
function decideAtOnce(guard: RequestGuard, request: Request, address: string | null) {
  const decision = guard(request, () => address);
  if (decision instanceof Promise) throw new Error("there is nothing to wait for");
  return decision;
}

function guardWith(
  apiKeys: readonly (string | { key: string; tenant: string })[] = [],
  more: { issued?: IssuedKeys; roleOf?: RouteRole } = {},
) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const guard = createRequestGuard({
    pathFrom: 7,
    authenticator: createAuthenticator({ apiKeys, log, ...(more.issued === undefined ? {} : { issued: more.issued }) }),
    ...(more.roleOf === undefined ? {} : { roleOf: more.roleOf }),
    hostNames: ["Board.Example.com"],
    openRoutes: [
      { method: "GET", path: "/livez" },
      { method: "POST", path: "/open/:id" },
    ],
    routes: [
      { method: "GET", path: "/embed" },
      { method: "GET", path: "/things/:id" },
      { method: "GET", path: "/things/metrics" },
      { method: "GET", path: "/livez" },
    ],
    crossOrigin: new CrossOriginAccess({ origins: [], maxAgeS: 0 }),
    log,
  });
  const ask = (url: string, init: { method?: string; headers?: Record<string, string> } = {}) => {
    const request = new Request(url, init);
    const decision = decideAtOnce(guard, request, "192.0.2.7");
    if (decision.kind === "answer") throw new Error("nothing here is a browser's question");
    if (decision.kind === "refuse") {
      return { code: decision.error.code, message: decision.error.message, headers: decision.headers };
    }
    return { request: decision.request, same: decision.request === request, caller: callerOf(decision.request) };
  };
  return { ask, guard, lines };
}

/** A request as Bun hands it over without a Host header: its URL is a path. */
function withoutHost(path: string, method: string): Request {
  const request = new Request("http://x/", { method });
  return new Proxy(request, {
    get: (target, name) => (name === "url" ? path : Reflect.get(target, name, target)),
  });
}

const from = (host: string, headers: Record<string, string> = {}) => ({ headers: { host, ...headers } });

describe("without keys", () => {
  const { ask, lines } = guardWith();

  test.each([
    ["http://127.0.0.1:80/a", "127.0.0.1:80"],
    ["http://[::1]/a", "[::1]"],
    ["http://jetson/a", "jetson"],
    ["http://jetson.local/a", "jetson.local"],
    ["http://board.example.com/a", "board.example.com"],
    [`http://${hostname().toLowerCase()}/a`, hostname()],
  ])("%s is answered as it came", (url, host) => {
    expect(ask(url, from(host))).toMatchObject({ same: true, caller: undefined });
  });

  test("a name that a web page could point here is refused and logged", () => {
    expect(ask("http://evil.com/a", from("evil.com"))).toEqual({
      code: "FORBIDDEN",
      message:
        "host: expected an address of this machine, its host name, or a name listed in allowedHosts, got evil.com",
      headers: {},
    });
    expect(lines.at(-1)).toMatchObject({ msg: "a request's Host header named an unknown host", host: "evil.com" });
  });

  test.each([
    ["POST", { origin: "https://evil.com" }, "https://evil.com"],
    ["POST", { "sec-fetch-site": "cross-site" }, "cross-site"],
    ["DELETE", { "sec-fetch-site": "same-site" }, "same-site"],
    ["POST", { origin: "null" }, "null"],
  ])("%s with %j comes from another page", (method, headers, origin) => {
    const { ask, lines } = guardWith();
    expect(ask("http://jetson/a", { method, ...from("jetson", headers) })).toEqual({
      code: "FORBIDDEN",
      message: "origin: requests from other web pages need an API key",
      headers: {},
    });
    expect(lines).toEqual([
      expect.objectContaining({ msg: "a request came from a web page of another origin", origin }),
    ]);
  });

  test("a long host or origin is told and logged by its start", () => {
    const { ask, lines } = guardWith();
    const name = `${"a".repeat(60)}.`.repeat(5);
    expect(ask(`http://${name}com/a`, from(`${name}com`)).message).toEndWith(`, got ${`${name}com`.slice(0, 253)}`);
    const origin = `https://${name}com`;
    ask("http://jetson/a", { method: "POST", ...from("jetson", { origin }) });
    expect(lines.at(-1)).toMatchObject({ origin: origin.slice(0, 253) });
  });

  test.each([
    ["GET", { origin: "https://evil.com" }],
    ["HEAD", { origin: "https://evil.com" }],
    ["OPTIONS", { origin: "https://evil.com" }],
    ["POST", { origin: "http://jetson:80" }],
    ["POST", { origin: "https://JETSON:80" }],
    ["POST", { "sec-fetch-site": "same-origin" }],
    ["POST", {}],
  ])("%s with %j is answered", (method, headers) => {
    expect(ask("http://jetson/a", { method, ...from("Jetson:80", headers) })).toMatchObject({ same: true });
  });

  test("an ambiguous target is refused first", () => {
    expect(ask("http://jetson/a", from("jetson, evil.com"))).toMatchObject({
      code: "INVALID_REQUEST",
      message: 'host: expected one host name or address with an optional port, got "jetson, evil.com"',
      headers: {},
    });
  });
});

describe("without a Host header", () => {
  const { guard } = guardWith(["the-key"]);
  test.each([
    ["GET", "/livez", "pass"],
    ["HEAD", "/livez", "pass"],
    ["GET", "/closed", "refuse"],
    ["POST", "/open/1", "refuse"],
  ])("%s %s: %s", (method, path, kind) => {
    const decision = decideAtOnce(guard, withoutHost(path, method), null);
    expect(decision.kind).toBe(kind as never);
    if (decision.kind === "pass") {
      expect([decision.request.url, decision.request.method]).toEqual([`http://localhost${path}`, method]);
    } else if (decision.kind === "refuse") {
      expect([decision.error.code, decision.error.message]).toEqual([
        "INVALID_REQUEST",
        "host: expected a Host header, got nothing",
      ]);
    }
  });
});

describe("with keys", () => {
  const { ask } = guardWith(["plain-key", { key: "red-key", tenant: "red" }]);
  const withKey = (key: string, host = "evil.com", method = "GET") => ({
    method,
    ...from(host, { authorization: `Bearer ${key}` }),
  });

  test.each([
    ["plain-key", null],
    ["red-key", "red"],
  ])("%s is answered for tenant %p, by any host and from any page", (key, tenant) => {
    const init = withKey(key, "evil.com", "POST");
    expect(ask("http://evil.com/a", { ...init, headers: { ...init.headers, origin: "https://other" } })).toMatchObject({
      same: true,
      caller: { tenant },
    });
  });

  test.each([
    ["GET", "/livez", true],
    ["HEAD", "/livez", true],
    ["POST", "/livez", false],
    ["POST", "/open/7", true],
    ["HEAD", "/open/7", false],
    ["GET", "/open/7", false],
    ["GET", "/", false],
  ])("%s %s without a key: open %p", (method, path, open) => {
    const answer = ask(`http://jetson${path}`, { method, ...from("jetson") });
    if (open) expect(answer).toMatchObject({ same: true, caller: undefined });
    else {
      expect(answer).toMatchObject({
        code: "UNAUTHORIZED",
        message: "a valid API key is needed: Authorization: Bearer KEY",
        headers: { "www-authenticate": "Bearer" },
      });
    }
  });

  test("a wrong key does not close an open route", () => {
    expect(ask("http://jetson/livez", withKey("wrong", "jetson"))).toMatchObject({ same: true });
  });

  test("after ten wrong keys the eleventh is told to wait, and a valid one is still served", () => {
    const { ask } = guardWith(["plain-key"]);
    const codes = Array.from({ length: 11 }, () => ask("http://jetson/a", withKey("wrong", "jetson")).code);
    expect(codes).toEqual([...new Array(10).fill("UNAUTHORIZED"), "TOO_MANY_REQUESTS"]);
    expect(ask("http://jetson/a", withKey("plain-key", "jetson"))).toMatchObject({ same: true });
  });
});

describe("with keys of tenants", () => {
  const roleOf: RouteRole = ({ path }) => (path === "/embed" || path === "/things/:id" ? "embed" : "viewer");
  const asked = (required: boolean) => {
    const { ask } = guardWith([], { issued: { ...issued, required }, roleOf });
    return (path: string, key: string | null) => {
      const answer = ask(
        `http://jetson${path}`,
        from("jetson", key === null ? {} : { authorization: `Bearer ${key}` }),
      );
      return "code" in answer ? answer.code : (answer.caller?.name ?? "nobody");
    };
  };

  test.each([
    [true, "/embed", "red", "key red"],
    [true, "/things/1", "red", "key red"],
    // Of two routes that match, the role of the one that asks for more.
    [true, "/things/metrics", "red", "FORBIDDEN"],
    [true, "/embed", "late", "UNAUTHORIZED"],
    [true, "/embed", "blue", "TENANT_SUSPENDED"],
    [true, "/embed", "unknown", "UNAUTHORIZED"],
    [true, "/embed", null, "UNAUTHORIZED"],
    [true, "/livez", "blue", "nobody"],
    [true, "/nowhere", "red", "key red"],
    [false, "/embed", "red", "key red"],
    [false, "/things/metrics", "red", "FORBIDDEN"],
    [false, "/embed", "late", "UNAUTHORIZED"],
    [false, "/embed", "blue", "TENANT_SUSPENDED"],
    [false, "/livez", "blue", "nobody"],
    // Where no key is needed, anything may be sent as one, as clients do that ask for a key.
    [false, "/embed", "unknown", "anyone"],
    [false, "/things/metrics", null, "anyone"],
  ])("needed: %p, %s with key %p: %s", (required, path, key, expected) => {
    const ask = asked(required);
    expect(ask(path, key)).toBe(expected);
    // The role of a path is remembered.
    expect(ask(path, key)).toBe(expected);
  });

  test("the role of a path that is asked for after a thousand others is still known", () => {
    const ask = asked(true);
    for (let index = 0; index < 1100; index += 1) expect(ask(`/things/${index}`, "red")).toBe("key red");
    expect(ask("/things/metrics", "red")).toBe("FORBIDDEN");
  });

  test("what a suspended tenant sends is no wrong key: it is not asked to prove itself, nor counted", () => {
    const { ask } = guardWith([], { issued: { ...issued, required: true }, roleOf });
    for (let index = 0; index < 20; index += 1)
      expect(ask("http://jetson/embed", from("jetson", { authorization: "Bearer blue" }))).toMatchObject({
        code: "TENANT_SUSPENDED",
        headers: {},
      });
  });
});
