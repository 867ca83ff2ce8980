import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Controller } from "#controller/controller.ts";
import { pagePaths } from "#controller/dashboard/page-paths.ts";
import { quietController } from "../quiet-controller.ts";

/** Upper bounds of what a browser loads for the first page, and for all pages together. */
const maxFirstBytes = 45_000;
const maxPagesBytes = 60_000;

const stateDir = mkdtempSync(join(tmpdir(), "thormesh-page-"));
let controller: Controller;

beforeAll(async () => {
  controller = quietController(stateDir, { apiKeys: ["a-configured-key"] });
  await controller.start();
});
afterAll(async () => {
  await controller.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(controller.url + path, { method, headers, decompress: false });
const assetsOf = (html: string) =>
  [...html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map((match) => match[1] as string);

describe.each(pagePaths.map((path) => path.replace(":id", "a%20b")))("%s", (path) => {
  test("is the page, without a key and with strict headers", async () => {
    const answer = await ask(path, { "accept-encoding": "identity" });
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "permissions-policy": expect.stringContaining("camera=()"),
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    });
    const html = await answer.text();
    expect(html).toStartWith("<!doctype html>");
    expect(html).not.toMatch(/<script>|<style>| style=| on\w+=|https?:\/\//);
    expect(assetsOf(html).length).toBe(2);
  });

  test("is answered to HEAD, and with 304 to who has it", async () => {
    const head = await ask(path, {}, "HEAD");
    expect({ status: head.status, body: await head.text() }).toEqual({ status: 200, body: "" });
    const etag = head.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[0-9a-f]+"$/);
    const again = await ask(path, { "if-none-match": `"other", W/${etag}` });
    expect({ status: again.status, body: await again.text() }).toEqual({ status: 304, body: "" });
    expect((await ask(path, { "if-none-match": '"other"' })).status).toBe(200);
  });

  test("takes nothing but GET and HEAD", async () => {
    const answer = await ask(path, { authorization: "Bearer a-configured-key" }, "DELETE");
    expect([404, 405]).toContain(answer.status);
  });
});

/** Files that a script imports at once, and those that it imports when a page is opened. */
const importsOf = (script: string) => ({
  atOnce: [...script.matchAll(/(?:from|import)\s*"(\/page\/[^"]+)"/g)].map((match) => match[1] as string),
  later: [...script.matchAll(/import\("(\/page\/[^"]+)"\)/g)].map((match) => match[1] as string),
});

test("files of the page are kept for ever by browsers, compressed for those that take it, and small together", async () => {
  const html = await (await ask("/", { "accept-encoding": "identity" })).text();
  const sizes = new Map<string, number>();
  const texts = new Map<string, string>();
  const load = async (path: string) => {
    const known = texts.get(path);
    if (known !== undefined) return known;
    const packed = await ask(path, { "accept-encoding": "br, gzip" });
    expect(Object.fromEntries(packed.headers)).toMatchObject({
      "content-encoding": "gzip",
      "cache-control": "public, max-age=31536000, immutable",
      vary: "accept-encoding",
    });
    const body = new Uint8Array(await packed.arrayBuffer());
    const plain = await ask(path, { "accept-encoding": "gzip;q=0" });
    expect(plain.headers.get("content-encoding")).toBeNull();
    const text = await plain.text();
    expect(text).toBe(new TextDecoder().decode(Bun.gunzipSync(body)));
    sizes.set(path, body.byteLength);
    texts.set(path, text);
    return text;
  };
  const closure = async (paths: readonly string[], found = new Set<string>()) => {
    for (const path of paths) {
      if (found.has(path)) continue;
      found.add(path);
      await closure(importsOf(await load(path)).atOnce, found);
    }
    return found;
  };
  const bytesOf = (paths: Iterable<string>) => [...paths].reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0);
  const first = await closure(assetsOf(html));
  const later = [...first].flatMap((path) => importsOf(texts.get(path) ?? "").later);
  expect(later.length).toBeGreaterThan(0);
  const all = await closure([...first, ...later]);
  const htmlBytes = Bun.gzipSync(html).byteLength;
  expect(bytesOf(first)).toBeGreaterThan(5_000);
  expect(htmlBytes + bytesOf(first)).toBeLessThan(maxFirstBytes);
  expect(bytesOf(all)).toBeGreaterThan(bytesOf(first));
  expect(htmlBytes + bytesOf(all)).toBeLessThan(maxPagesBytes);
});

test("a file that the page does not have is told, also by names of objects", async () => {
  for (const name of ["gone.js", "constructor", "__proto__", "..%2f..%2fetc%2fpasswd", "a".repeat(5_000)]) {
    const answer = await ask(`/page/${name}`);
    expect({ name, status: answer.status }).toEqual({ name, status: 404 });
    expect(await answer.json()).toMatchObject({ code: "NOT_FOUND" });
  }
});

test("the figures behind the page still need a key", async () => {
  expect((await ask("/api/v1/fleet")).status).toBe(401);
});
