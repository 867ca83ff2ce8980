import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testEveryRoute } from "../every-route.ts";
import type { TestConfig, TestServing } from "../start-serving.ts";

const key = "the-key-of-a-client";
const page = "https://app.example.com:8443";
const other = "https://evil.example";

interface Route {
  readonly method: string;
  readonly path: string;
  readonly isOpen: boolean;
}

async function routesOf({ serving }: TestServing): Promise<Route[]> {
  const answer = await fetch(`${serving.url}/openapi/json`, { headers: { "api-key": key } });
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, { security?: unknown[] }>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, "all-MiniLM-L6-v2"),
      isOpen: security?.length === 0,
    })),
  );
}

const allowOrigin = ({ headers }: Response) => headers.get("access-control-allow-origin");

/** A browser's question before a page's request. */
const ask = ({ serving }: TestServing, { method, path }: Pick<Route, "method" | "path">, origin: string) =>
  fetch(serving.url + path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    },
  });

/** A page's request; it need not be one that the route can answer. */
const send = (
  { serving }: TestServing,
  { method, path }: Pick<Route, "method" | "path">,
  headers: Record<string, string>,
) =>
  fetch(serving.url + path, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(method === "GET" ? {} : { body: "{}" }),
  });

describe.each<{ name: string; config: TestConfig; needsKey: boolean }>([
  { name: "without keys", config: { cors: { origins: [page], maxAgeS: 60 } }, needsKey: false },
  { name: "with keys", config: { cors: { origins: [page], maxAgeS: 60 }, apiKeys: [key] }, needsKey: true },
])("origins that are configured, $name", ({ config, needsKey }) => {
  let server: TestServing;
  let routes: Route[];
  beforeAll(async () => {
    server = testEveryRoute(config);
    await server.serving.start();
    routes = await routesOf(server);
    expect(routes.length).toBeGreaterThan(15);
  });
  afterAll(() => server.serving.stop());

  test("a browser may ask for every route, without a key", async () => {
    for (const route of routes) {
      const answer = await ask(server, route, page);
      expect({ route, status: answer.status }).toEqual({ route, status: 204 });
      expect(answer.headers.get("access-control-allow-methods")?.split(", ")).toContain(route.method);
      expect(answer.headers.get("access-control-allow-headers")).toBe("authorization,content-type,x-stainless-lang");
      expect(answer.headers.get("access-control-max-age")).toBe("60");
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
      expect(allowOrigin(answer)).toBe(page);
      expect(answer.headers.get("vary")).toContain("origin");
    }
  });

  test("its page may read every answer, errors too", async () => {
    for (const route of routes) {
      const refused = await send(server, route, { origin: page });
      expect({ route, status: refused.status === 401 }).toEqual({ route, status: needsKey && !route.isOpen });
      expect({ route, status: refused.status === 403 }).toEqual({ route, status: false });
      const answer = await send(server, route, { origin: page.toUpperCase(), authorization: `Bearer ${key}` });
      expect([401, 403]).not.toContain(answer.status);
      for (const each of [refused, answer]) {
        expect(allowOrigin(each)?.toLowerCase()).toBe(page);
        expect(each.headers.get("access-control-expose-headers")).toContain("retry-after");
      }
    }
  });

  test.each([other, "null", "https://app.example.com", "http://app.example.com:8443", `${page}.evil.example`])(
    "a page of %s gets nothing",
    async (origin) => {
      for (const route of routes) {
        expect(allowOrigin(await ask(server, route, origin))).toBeNull();
        const answer = await send(server, route, { origin });
        expect(allowOrigin(answer)).toBeNull();
        expect(answer.headers.get("vary")).toContain("origin");
        if (!needsKey && route.method !== "GET") expect(answer.status).toBe(403);
      }
    },
  );

  test("embeds for its page", async () => {
    const answer = await fetch(`${server.serving.url}/v1/embeddings`, {
      method: "POST",
      headers: { origin: page, "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ input: "one robot" }),
    });
    expect(answer.status).toBe(200);
    expect(allowOrigin(answer)).toBe(page);
  });

  test("what a browser may ask is bounded", async () => {
    const question = (headers: Record<string, string>, path = "/embed") =>
      fetch(server.serving.url + path, {
        method: "OPTIONS",
        headers: { origin: page, "access-control-request-method": "POST", ...headers },
      });
    const many = await question({ "access-control-request-headers": new Array(65).fill("x-a").join(",") });
    expect(many.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(many.headers.get("access-control-allow-headers")).not.toContain("x-a");
    const none = await question({});
    expect(none.headers.get("access-control-allow-headers")).toContain("content-type");
    expect(none.headers.get("access-control-allow-private-network")).toBeNull();
    const local = await question({ "access-control-request-private-network": "true" });
    expect(local.headers.get("access-control-allow-private-network")).toBe("true");
    expect((await question({}, "/nowhere")).status).toBe(needsKey ? 401 : 404);
    if (!needsKey) expect((await question({ host: "evil.example" })).status).toBe(403);
  });
});

test("off by default: no answer has a header for pages, and no question is answered", async () => {
  const server = testEveryRoute();
  await server.serving.start();
  for (const route of await routesOf(server)) {
    for (const answer of [await ask(server, route, page), await send(server, route, { origin: page })]) {
      const names = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-") || name === "vary");
      expect({ route, names }).toEqual({ route, names: [] });
    }
  }
  await server.serving.stop();
});

test("* lets every page ask, with a key", async () => {
  const server = testEveryRoute({ cors: { origins: ["*"], maxAgeS: 0 }, apiKeys: [key] });
  await server.serving.start();
  for (const route of await routesOf(server)) {
    expect(allowOrigin(await ask(server, route, other))).toBe(other);
    const answer = await send(server, route, { origin: other });
    expect(allowOrigin(answer)).toBe(other);
    if (!route.isOpen) expect(answer.status).toBe(401);
    expect(allowOrigin(await send(server, route, { origin: "null" }))).toBeNull();
  }
  await server.serving.stop();
});
