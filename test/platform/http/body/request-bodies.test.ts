import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { ServiceError } from "#platform/errors.ts";
import { takeReceivedBody } from "#platform/http/body/received-body.ts";
import { RequestBodies } from "#platform/http/body/request-bodies.ts";
import { errorResponse } from "#platform/http/error-response.ts";
import { callerOf, noteCaller } from "#platform/http/guard/request-caller.ts";
import { requestFailures } from "#platform/http/request-failure.ts";

const maxBodyBytes = 100_000;
const megabyte = 1024 * 1024;
const smallBodyBytes = 65_536;

function bodiesWith(app: (request: Request) => Response | Promise<Response>, max = maxBodyBytes, receiveMs = 60_000) {
  const bodies = new RequestBodies({
    maxBodyBytes: max,
    receiveMs,
    fetch: app,
    refuse: (request, error, headers = {}) => {
      requestFailures.set(request, error);
      return errorResponse(error, "plain", headers);
    },
  });
  const answer = async (request: Request) => {
    const response = await bodies.answer(request);
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as { error?: string; length?: number | null },
    };
  };
  return { bodies, answer };
}

/** Answers the length of the body that was read for it, null where it is the route's to read. */
const lengthApp = async (request: Request) => {
  const received = takeReceivedBody(request);
  received?.parsed();
  return Response.json({ length: received?.bytes.byteLength ?? null, tenant: callerOf(request)?.tenant ?? null });
};

const announced = (bytes: number, more: Record<string, string> = {}) =>
  new Request("http://a/x", {
    method: "POST",
    body: new Uint8Array(bytes),
    headers: { "content-length": String(bytes), ...more },
  });

function chunked(bytes: number, more: Record<string, string> = {}): Request {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes));
      controller.close();
    },
  });
  return new Request("http://a/x", { method: "POST", body, headers: { "transfer-encoding": "chunked", ...more } });
}

/** A body of an unknown length that never ends. */
function endless(signal = () => {}): Request {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: signal,
  });
  return new Request("http://a/x", { method: "POST", body, headers: { "transfer-encoding": "chunked" } });
}

describe("a body", () => {
  const { answer } = bodiesWith(lengthApp);
  test.each([
    { name: "none", request: () => new Request("http://a/x"), length: null },
    { name: "of no bytes", request: () => announced(0), length: null },
    { name: "as small as the runtime may read", request: () => announced(smallBodyBytes), length: null },
    { name: "a byte larger", request: () => announced(smallBodyBytes + 1), length: smallBodyBytes + 1 },
    { name: "at the limit", request: () => announced(maxBodyBytes), length: maxBodyBytes },
    { name: "in chunks", request: () => chunked(5), length: 5 },
    { name: "in chunks at the limit", request: () => chunked(maxBodyBytes), length: maxBodyBytes },
    {
      name: "compressed",
      request: () => {
        const packed = gzipSync(new Uint8Array(maxBodyBytes));
        return new Request("http://a/x", {
          method: "POST",
          body: packed,
          headers: { "content-length": String(packed.byteLength), "content-encoding": "gzip" },
        });
      },
      length: maxBodyBytes,
    },
    {
      name: "in pieces of which nothing is said",
      request: () => new Request("http://a/x", { method: "POST", body: new Blob(["abc"]).stream() }),
      length: null,
    },
    {
      name: "said to be compressed, but missing",
      request: () => new Request("http://a/x", { method: "POST", headers: { "content-encoding": "gzip" } }),
      length: 0,
    },
    {
      name: "said to be as it is, but missing",
      request: () => new Request("http://a/x", { method: "POST", headers: { "content-encoding": "identity" } }),
      length: null,
    },
  ])("$name: $length bytes are read before its route", async ({ request, length }) => {
    expect(await answer(request())).toMatchObject({ status: 200, body: { length } });
  });

  test.each([
    { name: "announced", request: () => announced(maxBodyBytes + 1), what: "the body", closes: false },
    { name: "announced, 16 times", request: () => announced(16 * maxBodyBytes), what: "the body", closes: false },
    { name: "announced, beyond", request: () => announced(16 * maxBodyBytes + 1), what: "the body", closes: true },
    { name: "in chunks", request: () => chunked(maxBodyBytes + 1), what: "the body", closes: true },
    {
      name: "compressed",
      request: () => {
        const packed = gzipSync(new Uint8Array(maxBodyBytes + 1));
        return new Request("http://a/x", {
          method: "POST",
          body: packed,
          headers: { "content-length": String(packed.byteLength), "content-encoding": "gzip" },
        });
      },
      what: "the decompressed body",
      closes: false,
    },
  ])("too large, $name: 413, the connection closed: $closes", async ({ request, what, closes }) => {
    const { status, headers, body } = await answer(request());
    expect([status, body.error]).toEqual([413, `${what} is larger than ${maxBodyBytes} bytes`]);
    expect(headers.get("connection")).toBe(closes ? "close" : null);
  });

  test("an unknown encoding is told which are known; bytes that are not valid are not", async () => {
    const unknown = await answer(announced(10, { "content-encoding": "rot13" }));
    expect([unknown.status, unknown.headers.get("accept-encoding")]).toEqual([415, "gzip, deflate, br, zstd"]);
    const broken = await answer(announced(10, { "content-encoding": "gzip" }));
    expect([broken.status, broken.headers.get("accept-encoding")]).toEqual([400, null]);
  });

  test("that does not arrive in time is answered 408", async () => {
    const { answer } = bodiesWith(lengthApp, maxBodyBytes, 1);
    expect(await answer(endless())).toMatchObject({ status: 408, body: { code: "REQUEST_TIMEOUT" } });
  });
});

test("the caller goes to the request that is answered, the failure back to the one that came", async () => {
  const failure = new ServiceError("CONFLICT", "no");
  const { bodies } = bodiesWith((request) => {
    expect(callerOf(request)).toEqual({ tenant: "red" });
    requestFailures.set(request, failure);
    return new Response();
  });
  const request = chunked(5);
  noteCaller(request, { tenant: "red" });
  await bodies.answer(request);
  expect(requestFailures.get(request)).toBe(failure);
  const { bodies: quiet } = bodiesWith(lengthApp);
  const other = chunked(5);
  expect(await (await quiet.answer(other)).json()).toEqual({ length: 5, tenant: null });
  expect(requestFailures.get(other)).toBeUndefined();
});

test("an error that is no answer of ours passes, and frees its memory", async () => {
  const { bodies, answer } = bodiesWith((request) => {
    if (request.headers.has("fails")) throw new RangeError("a bug");
    return lengthApp(request);
  }, 16 * megabyte);
  for (let count = 0; count < 3; count += 1) {
    await expect(bodies.answer(announced(10 * megabyte, { fails: "1" }))).rejects.toThrow(RangeError);
  }
  expect(await answer(announced(10 * megabyte))).toMatchObject({ status: 200 });
});

describe("the memory of all bodies", () => {
  /** Answers when told to. */
  function held() {
    const answers: (() => void)[] = [];
    const app = (request: Request) => {
      const received = takeReceivedBody(request);
      return new Promise<Response>((resolve) =>
        answers.push(() => {
          received?.parsed();
          resolve(Response.json({ length: received?.bytes.byteLength ?? null }));
        }),
      );
    };
    return { app, answers };
  }
  const of = (tenant: string, request: Request) => {
    noteCaller(request, { tenant });
    return request;
  };
  const until = async (fits: () => boolean) => {
    while (!fits()) await Bun.sleep(1);
  };

  test("small ones have 16 MiB until they are answered; one beyond is read with the large ones", async () => {
    const { app, answers } = held();
    const { answer } = bodiesWith(app);
    const running = Array.from({ length: 128 }, () => answer(of("a", announced(smallBodyBytes))));
    const more = answer(of("a", announced(1)));
    await until(() => answers.length === 129);
    // Of another tenant there is room: half of it is anybody's at most.
    const other = answer(of("b", announced(smallBodyBytes)));
    await until(() => answers.length === 130);
    for (const each of answers.splice(0)) each();
    expect((await Promise.all(running)).map(({ body }) => body.length)).toEqual(new Array(128).fill(null));
    expect((await more).body.length).toBe(1);
    expect((await other).body.length).toBeNull();
    // Answered ones have given their memory back.
    const again = answer(of("a", announced(smallBodyBytes)));
    await until(() => answers.length === 1);
    answers[0]?.();
    expect((await again).body.length).toBeNull();
  });

  test("large ones have 16 MiB together; 32 wait for it, and one more is refused and told to come back", async () => {
    const { app, answers } = held();
    const { answer } = bodiesWith(app, 16 * megabyte);
    const first = answer(of("a", announced(8 * megabyte)));
    const second = answer(of("b", announced(8 * megabyte)));
    await until(() => answers.length === 2);
    const waiting = Array.from({ length: 32 }, (_, index) => answer(of(`c${index}`, announced(100_000))));
    const refused = await answer(of("d", announced(100_000)));
    expect(refused).toMatchObject({ status: 429, body: { code: "TOO_MANY_REQUESTS" } });
    expect([refused.headers.get("retry-after"), refused.headers.get("connection")]).toEqual(["1", null]);
    for (const each of answers.splice(0)) each();
    expect([(await first).body.length, (await second).body.length]).toEqual([8 * megabyte, 8 * megabyte]);
    await until(() => answers.length === 32);
    for (const each of answers.splice(0)) each();
    for (const each of await Promise.all(waiting)) expect(each.body.length).toBe(100_000);
  });
});

test("a body of an unknown length that stalls while others wait is cut off, and they are answered", async () => {
  const { answer } = bodiesWith(lengthApp, 16 * megabyte);
  const stalled = answer(endless());
  const waiting = answer(announced(8 * megabyte));
  expect(await stalled).toMatchObject({
    ...{ status: 408, body: { error: "the body: no data for 2 s while other requests were waiting" } },
  });
  expect((await waiting).body.length).toBe(8 * megabyte);
});

test("a compressed body takes the memory of the largest one it may become", async () => {
  const answers: (() => void)[] = [];
  const { answer } = bodiesWith(
    () => new Promise<Response>((resolve) => answers.push(() => resolve(Response.json({ length: null })))),
    16 * megabyte,
  );
  const packed = gzipSync("a");
  const first = answer(
    new Request("http://a/x", {
      method: "POST",
      body: packed,
      headers: { "content-length": String(packed.byteLength), "content-encoding": "gzip" },
    }),
  );
  while (answers.length === 0) await Bun.sleep(1);
  const waiting = Array.from({ length: 32 }, () => answer(announced(100_000)));
  expect((await answer(announced(100_000))).status).toBe(429);
  answers.pop()?.();
  await first;
  while (answers.length < 32) {
    for (const each of answers.splice(0)) each();
    if ((await Promise.race([Promise.all(waiting), Bun.sleep(1)])) !== undefined) break;
  }
});

describe("refusing a body that is unread", () => {
  const { bodies } = bodiesWith(lengthApp);
  const error = new ServiceError("FORBIDDEN", "no");
  const refuse = async (request: Request) => {
    const { status, headers } = await bodies.refuseUnread(request, error, { "www-authenticate": "Bearer" });
    expect([status, headers.get("www-authenticate")]).toEqual([403, "Bearer"]);
    return headers.get("connection");
  };

  test.each([
    { name: "none", request: () => new Request("http://a/x"), connection: null },
    { name: "announced", request: () => announced(16 * maxBodyBytes), connection: null },
    { name: "announced, large", request: () => announced(16 * maxBodyBytes + 1), connection: "close" },
    { name: "in chunks", request: () => chunked(maxBodyBytes), connection: null },
    { name: "in chunks, large", request: () => chunked(maxBodyBytes + 1), connection: "close" },
  ])("$name: $connection", async ({ request, connection }) => {
    expect(await refuse(request())).toBe(connection);
  });

  test("one that another reads is left to it", async () => {
    const request = chunked(10);
    const reader = request.body?.getReader();
    expect(await refuse(request)).toBeNull();
    expect((await reader?.read())?.value).toHaveLength(10);
  });
});
