import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { quietController } from "../quiet-controller.ts";

const configured = "a-configured-key";
const stateDir = mkdtempSync(join(tmpdir(), "thormesh-login-"));
let controller: Controller;
const keys: Record<string, { readonly id: string; readonly secret: string }> = {};

const own = () => ({ origin: controller.url });

const send = (method: string, path: string, headers: Record<string, string> = {}, body?: object) =>
  fetch(controller.url + path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

const errorOf = async (answer: Response) => ((await answer.json()) as { error: string }).error;

async function logIn(key: string): Promise<string> {
  const answer = await send("POST", "/api/v1/session", own(), { key });
  expect(answer.status).toBe(200);
  return (answer.headers.get("set-cookie") as string).split(";")[0] as string;
}

async function issue(name: string, role: string): Promise<{ id: string; secret: string }> {
  const authorization = `Bearer ${configured}`;
  const tenant = role === "embed" ? { tenant: "red" } : {};
  const made = await send("POST", "/api/v1/keys", { authorization }, { name, role, ...tenant });
  const { key, secret } = (await made.json()) as { key: { id: string }; secret: string };
  return { id: key.id, secret };
}
const secretOf = (role: string) => (keys[role] as { secret: string }).secret;

beforeAll(async () => {
  controller = quietController(stateDir, { apiKeys: [configured] });
  await controller.start();
  await send("POST", "/api/v1/tenants", { authorization: `Bearer ${configured}` }, { id: "red" });
  for (const role of ["embed", "viewer", "operator", "admin"]) keys[role] = await issue(`the ${role}`, role);
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

test("logging in gives a cookie that scripts can't read and other sites don't send", async () => {
  const answer = await send("POST", "/api/v1/session", own(), { key: secretOf("viewer") });
  const cookie = answer.headers.get("set-cookie") ?? "";
  const port = new URL(controller.url).port;
  expect(cookie).toMatch(
    new RegExp(`^thormesh_session_${port}=[A-Za-z0-9_-]{43}; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800$`),
  );
  const caller = { name: `key ${keys["viewer"]?.id} (the viewer)`, role: "viewer" };
  expect(await answer.json()).toEqual({ keysRequired: true, caller });
  const session = await send("GET", "/api/v1/session", { cookie: cookie.split(";")[0] as string });
  expect(await session.json()).toEqual({ keysRequired: true, caller });
});

test("the cookie is Secure where the browser came over TLS, to a proxy before this server", async () => {
  const headers = { origin: "https://fleet.example.com", host: "fleet.example.com" };
  const answer = await send("POST", "/api/v1/session", headers, { key: configured });
  expect(answer.headers.get("set-cookie")).toMatch(/^thormesh_session=.*; Secure$/);
});

test("who is not logged in can't log out", async () => {
  const answer = await send("DELETE", "/api/v1/session", own());
  expect(answer.status).toBe(400);
  expect(await errorOf(answer)).toStartWith("cookie: expected a session's cookie, got none");
});

test("who is not logged in is told so without an error", async () => {
  const answer = await send("GET", "/api/v1/session");
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ keysRequired: true, caller: null });
});

test.each([
  ["an unknown key", () => "tm_v_unknown", 401, "key: an unknown or expired one"],
  ["a key of a tenant", () => secretOf("embed"), 403, "key: expected a key with the role viewer, operator or admin"],
  ["a key with spaces", () => "a key", 400, "key: expected an API key"],
  ["no key", () => "", 400, "key"],
])("%s is refused with what is wrong", async (_, key, status, why) => {
  const answer = await send("POST", "/api/v1/session", own(), { key: key() });
  expect(answer.status).toBe(status);
  expect(answer.headers.get("set-cookie")).toBeNull();
  const text = await answer.text();
  expect(text).toContain(why);
  expect(text).not.toContain(key() || "\0");
});

test.each(["viewer", "operator", "admin"])("a session of the %s has the key's rights, no others", async (role) => {
  const cookie = await logIn(secretOf(role));
  const statusOf = async (method: string, path: string, body?: object) =>
    (await send(method, path, { cookie, ...own() }, body)).status;
  expect(await statusOf("GET", "/api/v1/fleet")).toBe(200);
  const freeze = await statusOf("POST", "/api/v1/freeze", { reason: "a test" });
  expect(freeze).toBe(role === "viewer" ? 403 : 200);
  expect(await statusOf("GET", "/api/v1/keys")).toBe(role === "admin" ? 200 : 403);
});

test("what is changed in a session is recorded under the key's name", async () => {
  const cookie = await logIn(secretOf("operator"));
  await send("POST", "/api/v1/freeze", { cookie, ...own() }, { reason: "by the page" });
  const audit = await send("GET", "/api/v1/audit?after=0&limit=1000", { authorization: `Bearer ${configured}` });
  const { entries } = (await audit.json()) as {
    entries: { entry: { actor: string; reason: string; phase: string } }[];
  };
  const found = entries.find(({ entry: { reason, phase } }) => reason === "by the page" && phase === "done");
  expect(found?.entry.actor).toBe(`key ${keys["operator"]?.id} (the operator)`);
});

describe("a session ends", () => {
  const isOpen = async (cookie: string) => {
    const answer = await send("GET", "/api/v1/fleet", { cookie });
    return answer.status === 200 ? "open" : `${answer.status} ${await errorOf(answer)}`;
  };

  test("by logging out, which also removes the cookie", async () => {
    const cookie = await logIn(secretOf("viewer"));
    expect(await isOpen(cookie)).toBe("open");
    const out = await send("DELETE", "/api/v1/session", { cookie, ...own() });
    expect(out.status).toBe(204);
    expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
    expect(await isOpen(cookie)).toBe("401 the session has expired: log in again");
  });

  test("by logging in again in the same browser", async () => {
    const cookie = await logIn(secretOf("viewer"));
    await send("POST", "/api/v1/session", { cookie, ...own() }, { key: configured });
    expect(await isOpen(cookie)).toBe("401 the session has expired: log in again");
  });

  test("with its key, and says so once", async () => {
    const { id, secret } = await issue("for a moment", "viewer");
    const cookie = await logIn(secret);
    await send("DELETE", `/api/v1/keys/${id}`, { authorization: `Bearer ${configured}` });
    expect(await isOpen(cookie)).toContain(
      `401 the session has expired: log in again (key ${id} (for a moment) was revoked`,
    );
    expect(await isOpen(cookie)).toBe("401 the session has expired: log in again");
  });

  test("when its key was replaced and the time of both is over", async () => {
    const { id, secret } = await issue("in turn", "viewer");
    const cookie = await logIn(secret);
    await send("POST", `/api/v1/keys/${id}/rotate`, { authorization: `Bearer ${configured}` }, { overlapS: 0 });
    expect(await isOpen(cookie)).toContain(`key ${id} (in turn) expired`);
  });

  test("not with a restart of the controller", async () => {
    const cookies = [await logIn(secretOf("admin")), await logIn(configured)];
    await controller.stop();
    controller = quietController(stateDir, { apiKeys: [configured] });
    await controller.start();
    // The port is another one, and the cookie has it in its name.
    const moved = cookies.map((cookie) => cookie.replace(/_\d+=/, `_${new URL(controller.url).port}=`));
    expect(await Promise.all(moved.map(isOpen))).toEqual(["open", "open"]);
  });
});

test("a cookie of no session is told to log in, and locks nobody out", async () => {
  const cookie = `thormesh_session_${new URL(controller.url).port}=${"a".repeat(43)}`;
  for (let each = 0; each < 30; each += 1) {
    const answer = await send("GET", "/api/v1/fleet", { cookie });
    expect(answer.status).toBe(401);
    await answer.body?.cancel();
  }
  await logIn(secretOf("viewer"));
});

test("a key in the header counts before a cookie", async () => {
  const cookie = await logIn(secretOf("viewer"));
  const headers = { cookie, authorization: `Bearer ${configured}` };
  expect((await send("GET", "/api/v1/keys", headers)).status).toBe(200);
});

test("guessing keys at the login is slowed down like everywhere", async () => {
  const statuses: number[] = [];
  for (let each = 0; each < 300 && statuses.at(-1) !== 429; each += 1)
    statuses.push((await send("POST", "/api/v1/session", own(), { key: `wrong-key-${each}` })).status);
  expect(statuses.at(-1)).toBe(429);
  // A valid key is accepted anyway.
  await logIn(secretOf("viewer"));
});

describe("other web pages", () => {
  /** Headers of a request that a page of another origin makes a browser send. */
  const foreign = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "none" },
    {},
  ] as Record<string, string>[];

  /** Every route, from the document: one that is added is tested here by itself. */
  async function routes(): Promise<{ method: string; path: string }[]> {
    const document = (await (await send("GET", "/openapi/json")).json()) as { paths: Record<string, object> };
    return Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        method: method.toUpperCase(),
        path: path.replaceAll(/\{[^}]+\}/g, "00000000"),
      })),
    );
  }

  test("can change nothing with a session's cookie, by no route", async () => {
    const cookie = await logIn(secretOf("admin"));
    const all = await routes();
    const changing = all.filter(({ method }) => method !== "GET");
    expect(changing.length).toBeGreaterThan(20);
    for (const { method, path } of changing)
      for (const headers of foreign) {
        const answer = await send(method, path, { cookie, ...headers }, method === "DELETE" ? undefined : {});
        const error = await errorOf(answer);
        expect({ method, path, headers, status: answer.status, error }).toEqual({
          ...{ method, path, headers, status: 403 },
          error: expect.stringContaining("origin: expected a page of this server, got "),
        });
      }
    expect((await send("GET", "/api/v1/fleet", { cookie })).status).toBe(200);
  });

  test("the page's own requests pass that check by every route, and those with a key do from anywhere", async () => {
    const cookie = await logIn(secretOf("admin"));
    const changing = (await routes()).filter(({ method, path }) => method !== "GET" && path !== "/api/v1/session");
    const key = { authorization: `Bearer ${configured}`, origin: "https://evil.example" };
    for (const { method, path } of changing)
      for (const headers of [{ cookie, ...own() }, { cookie, "sec-fetch-site": "same-origin" }, key]) {
        const sent = { ...headers } as unknown as Record<string, string>;
        // A body that is no JSON is refused by every route that reads one, before it changes anything.
        const answer = await fetch(controller.url + path, {
          ...{ method, headers: { ...sent, "content-type": "application/json" } },
          ...(method === "DELETE" ? {} : { body: "{" }),
        });
        expect({ method, path, refused: answer.status === 403 }).toEqual({ method, path, refused: false });
        await answer.body?.cancel();
      }
  });

  test("can't log anybody in", async () => {
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
      const answer = await send("POST", "/api/v1/session", headers as Record<string, string>, { key: configured });
      expect(answer.status).toBe(403);
      expect(answer.headers.get("set-cookie")).toBeNull();
    }
  });
});

describe("without keys", () => {
  const alone = mkdtempSync(join(tmpdir(), "thormesh-no-login-"));
  let free: Controller;
  beforeAll(async () => {
    free = quietController(alone);
    await free.start();
  });
  afterAll(async () => {
    await free.stop();
    rmSync(alone, { recursive: true, force: true });
  });

  test("everybody may do everything, there is nothing to log in to, and other pages are refused as before", async () => {
    const session = await fetch(`${free.url}/api/v1/session`);
    expect(await session.json()).toEqual({ keysRequired: false, caller: { name: "anyone", role: "admin" } });
    const login = await fetch(`${free.url}/api/v1/session`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: '{"key":"k"}' },
    });
    expect(login.status).toBe(409);
    const foreign = await fetch(`${free.url}/api/v1/freeze`, {
      ...{ method: "POST", headers: { "content-type": "application/json", origin: "https://evil.example" } },
      body: '{"reason":"r"}',
    });
    expect(foreign.status).toBe(403);
  });
});
