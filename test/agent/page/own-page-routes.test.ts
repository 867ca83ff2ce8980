import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { bundlePage } from "#platform/http/page/page-bundle.ts";
import { testEveryRoute } from "../serving/every-route.ts";
import type { TestServing } from "../serving/start-serving.ts";

/** Upper bound of all that a browser loads for the page. */
const maxPageBytes = 30_000;
const key = "a-configured-key";

let open: TestServing;
let closed: TestServing;
beforeAll(async () => {
  open = testEveryRoute({ threads: 1 });
  closed = testEveryRoute({ threads: 1, apiKeys: [key] });
  await Promise.all([open.serving.start(), closed.serving.start()]);
});
afterAll(() => Promise.all([open?.serving.stop(), closed?.serving.stop()]));

const get = ({ serving }: TestServing, path: string, headers: Record<string, string> = {}) =>
  fetch(serving.url + path, { headers });

describe("the agent's own page", () => {
  test("is open, holds no data, and loads nothing from elsewhere", async () => {
    for (const agent of [open, closed]) {
      const answer = await get(agent, "/");
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-security-policy")).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'",
      );
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      const html = await answer.text();
      expect(html).not.toMatch(/<script>|<style>| style=| on\w+=|https?:\/\//);
      const assets = [...html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map((match) => match[1] as string);
      expect(assets).toHaveLength(2);
      for (const asset of assets) expect((await get(agent, asset)).status).toBe(200);
    }
  });

  test("is for the names of this machine alone where no key is needed", async () => {
    expect((await get(open, "/", { host: "attacker.example" })).status).toBe(403);
    expect((await get(open, "/api/v1/minutes", { host: "attacker.example" })).status).toBe(403);
  });

  test.each([
    ["/api/v1/status", undefined, 401],
    ["/api/v1/minutes", undefined, 401],
    ["/api/v1/mesh", undefined, 401],
    ["/models", undefined, 401],
    ["/api/v1/status", key, 200],
    ["/api/v1/minutes", key, 200],
    ["/api/v1/mesh", key, 200],
    ["/models", key, 200],
  ])("what it asks for keeps its rights: %s with %p is %d", async (path, bearer, status) => {
    const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    expect((await get(closed, path, headers)).status).toBe(status);
  });

  test("is small", async () => {
    const { html, assets } = await bundlePage(join(import.meta.dir, "../../../agent/page/index.html"));
    const bytes = [html, ...assets.map(({ text }) => text)].reduce(
      (sum, text) => sum + Bun.gzipSync(text, { level: 9 }).byteLength,
      0,
    );
    expect(bytes).toBeLessThan(maxPageBytes);
  });
});
