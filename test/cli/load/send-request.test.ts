import { expect, test } from "bun:test";
import { createSender } from "#cli/load/send-request.ts";

const never = new AbortController().signal;
const sender = (url: string, timeoutMs = 5_000) =>
  createSender({ url, nextText: () => "a text", timeoutMs, model: "m", apiKey: "k1" });

test.each([
  [() => Response.json({ data: [{ embedding: "AAAA" }] }), "ok"],
  [() => Response.json({ data: [] }), "an answer without a vector"],
  [() => Response.json(null), "an answer without a vector"],
  [() => new Response("hello"), "an answer that is not JSON"],
  [() => new Response("who?", { status: 401 }), "HTTP 401"],
  [() => Response.json({}, { status: 503 }), "HTTP 503"],
])("%# an answer counts as %s", async (answer, outcome) => {
  let sent: unknown;
  let key: string | null = null;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      sent = await request.json();
      key = request.headers.get("authorization");
      return answer();
    },
  });
  try {
    expect(await sender(`http://127.0.0.1:${server.port}`)(never)).toBe(outcome as string);
    expect(sent).toEqual({ model: "m", input: "a text", encoding_format: "base64" });
    expect(key as string | null).toBe("Bearer k1");
  } finally {
    await server.stop(true);
  }
});

test("no answer in time, and nobody there", async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Promise<Response>(() => {}) });
  const url = `http://127.0.0.1:${server.port}`;
  expect(await sender(url, 50)(never)).toBe("timeout");
  await server.stop(true);
  expect(await sender(url)(never)).toBe("ECONNREFUSED");
});
