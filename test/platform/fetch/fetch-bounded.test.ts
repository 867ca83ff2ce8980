import { afterAll, expect, test } from "bun:test";
import { fetchBounded, fetchOnce } from "#platform/fetch/fetch-bounded.ts";

const seen: { path: string; authorization: string | null; key: string | null }[] = [];
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 30,
  async fetch(request) {
    const { pathname } = new URL(request.url);
    seen.push({
      path: pathname,
      authorization: request.headers.get("authorization"),
      key: request.headers.get("x-key"),
    });
    const status = /^\/redirect\/(\d+)$/.exec(pathname)?.[1];
    if (status !== undefined)
      return new Response(null, { status: Number(status), headers: { location: `/landed?token=s3cr3t` } });
    if (pathname === "/large") return new Response("x".repeat(5000));
    if (pathname === "/endless")
      return new Response(
        new ReadableStream({
          async pull(controller) {
            controller.enqueue(new Uint8Array(16_384));
            await Bun.sleep(1);
          },
        }),
      );
    if (pathname === "/stalls")
      return new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new Uint8Array(10));
          },
        }),
      );
    if (pathname === "/silent") return new Promise<Response>(() => {});
    if (pathname === "/gzip")
      return new Response(Bun.gzipSync(new Uint8Array(1e6)), { headers: { "content-encoding": "gzip" } });
    if (pathname === "/empty") return new Response(null, { status: 204 });
    return Response.json({ ok: true, body: await request.text() }, { status: pathname === "/bad" ? 503 : 200 });
  },
});
afterAll(() => server.stop(true));
const base = `http://127.0.0.1:${server.port}`;
const bounds = { timeoutMs: 60_000, maxBytes: 1000 };

test("an answer with its body, whatever its status", async () => {
  const answer = await fetchBounded(`${base}/a`, {
    ...bounds,
    method: "POST",
    body: "hello",
    headers: { "x-key": "k" },
  });
  expect(answer.ok).toBe(true);
  expect(await answer.json()).toEqual({ ok: true, body: "hello" });
  expect(seen.at(-1)).toMatchObject({ path: "/a", key: "k" });
  expect((await fetchBounded(`${base}/bad`, bounds)).status).toBe(503);
  expect((await fetchBounded(`${base}/empty`, bounds)).status).toBe(204);
});

test.each([301, 302, 303, 307, 308])("a redirect (%d) is not followed, nor is its query quoted", async (status) => {
  const before = seen.length;
  const outcome = fetchBounded(`${base}/redirect/${status}`, { ...bounds, headers: { "x-key": "k" } });
  const error = await outcome.then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error?.message).toContain(`answered ${status} and redirects to ${base}/landed`);
  expect(error?.message).not.toContain("s3cr3t");
  expect(seen.slice(before)).toHaveLength(1);
  expect((await fetchOnce(`${base}/redirect/${status}`, {})).status).toBe(status);
});

test("user and password of an address are sent as a header, and quoted by no error", async () => {
  const withUser = base.replace("//", "//user:p%40s3cr3t@");
  await fetchBounded(`${withUser}/a`, bounds);
  expect(seen.at(-1)?.authorization).toBe(`Basic ${btoa("user:p@s3cr3t")}`);
  await fetchBounded(`${withUser}/a`, { ...bounds, headers: { authorization: "Bearer own" } });
  expect(seen.at(-1)?.authorization).toBe("Bearer own");
  for (const path of ["/large", "/redirect/302", "/gzip"]) {
    const error = await fetchBounded(withUser + path, bounds).then(() => null, String);
    expect(error).not.toBeNull();
    expect(error).not.toContain("s3cr3t");
  }
  const refused = await fetchBounded("http://user:s3cr3t@127.0.0.1:1/", bounds).then(() => null, Bun.inspect);
  expect(refused).not.toBeNull();
  expect(refused).not.toContain("s3cr3t");
});

test.each(["/large", "/endless"])("more than was asked for is not read: %s", async (path) => {
  await expect(fetchBounded(base + path, bounds)).rejects.toThrow("answered more than 1000 bytes");
});

test("nothing is unpacked", async () => {
  await expect(fetchBounded(`${base}/gzip`, bounds)).rejects.toThrow("compressed");
});

test.each(["/silent", "/stalls"])("an answer that does not end is given up: %s", async (path) => {
  const error = await fetchBounded(base + path, { ...bounds, timeoutMs: 200 }).then(
    () => null,
    (reason: Error) => reason,
  );
  expect(error?.name).toBe("TimeoutError");
});

test("an abort is heard while the body comes", async () => {
  const abort = new AbortController();
  const asked = fetchBounded(`${base}/stalls`, { ...bounds, signal: abort.signal });
  setTimeout(() => abort.abort(new Error("the agent stops")), 50);
  await expect(asked).rejects.toThrow("the agent stops");
});

test("a proxy of the environment gets nothing of what this machine asks itself", async () => {
  const reached: string[] = [];
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      reached.push(request.url);
      return new Response("proxied");
    },
  });
  const path = JSON.stringify(`${import.meta.dir}/../../../platform/fetch/fetch-bounded.ts`);
  const script = `
    const { fetchBounded } = await import(${path});
    const headers = { authorization: "Bearer k" };
    for (const host of ["127.0.0.1", "localhost"]) {
      const answer = await fetchBounded("http://" + host + ":${server.port}/a", { timeoutMs: 60_000, maxBytes: 1000, headers });
      console.log((await answer.json()).ok);
    }`;
  const address = `http://127.0.0.1:${proxy.port}`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    env: { ...process.env, HTTP_PROXY: address, http_proxy: address },
    stdout: "pipe",
    stderr: "inherit",
  });
  expect(await new Response(child.stdout).text()).toBe("true\ntrue\n");
  expect(reached).toEqual([]);
  await proxy.stop(true);
});
