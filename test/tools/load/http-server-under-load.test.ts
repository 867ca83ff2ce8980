import { expect, test } from "bun:test";
import { createHttpServerUnderLoad, type HttpProtocol } from "#tools/load/http-server-under-load.ts";
import type { SendResult } from "#tools/load/load-server.ts";

function underLoad(url: string, protocol: HttpProtocol = "openai", timeoutMs = 5_000) {
  return createHttpServerUnderLoad({ url, protocol, model: "m", apiKey: "k1", timeoutMs });
}

const ok: SendResult = { kind: "ok" };
const failed = (cause: string): SendResult => ({ kind: "failed", cause });

test.each([
  ["openai", () => Response.json({ data: [{ embedding: "AAAA" }] }), ok],
  ["openai", () => Response.json({ data: [{ embedding: [0.1, 0.2] }] }), ok],
  ["openai", () => Response.json({ data: [] }), failed("an answer without a vector for each text")],
  ["openai", () => Response.json({ data: [{ embedding: "" }] }), failed("an answer without a vector for each text")],
  ["openai", () => Response.json({ data: [null] }), failed("an answer without a vector for each text")],
  ["openai", () => Response.json(null), failed("an answer without a vector for each text")],
  ["openai", () => new Response("hello"), failed("an answer that is not JSON")],
  ["openai", () => new Response("who?", { status: 401 }), failed("HTTP 401")],
  ["openai", () => Response.json({}, { status: 503 }), failed("HTTP 503")],
  ["native", () => Response.json({ embeddings: [[0.5]] }), ok],
  ["native", () => Response.json({ embeddings: [[0.5], [0.5]] }), failed("an answer without a vector for each text")],
] as const)("%# %s", async (protocol, answer, result) => {
  const sent: unknown[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      sent.push([new URL(request.url).pathname, await request.json(), request.headers.get("authorization")]);
      return answer();
    },
  });
  const client = underLoad(`http://127.0.0.1:${server.port}/base/`, protocol);
  try {
    expect(await client.send(["a täxt"])).toEqual(result);
    expect(sent).toEqual([
      protocol === "openai"
        ? ["/base/v1/embeddings", { model: "m", input: "a täxt", encoding_format: "base64" }, "Bearer k1"]
        : ["/base/api/v1/embed", { model: "m", inputs: ["a täxt"] }, "Bearer k1"],
    ]);
  } finally {
    client.close();
    await server.stop(true);
  }
});

test("one connection serves request after request, large ones included", async () => {
  const ports = new Set<number | undefined>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, { requestIP }) {
      const { input } = (await request.json()) as { input: string[] };
      ports.add(requestIP.call(server, request)?.port);
      return Response.json({ data: input.map((text) => ({ embedding: text })) });
    },
  });
  const client = underLoad(`http://127.0.0.1:${server.port}`);
  try {
    const texts = Array.from({ length: 500 }, () => "word ".repeat(2_000));
    for (const batch of [["a", "b"], texts, ["c", "d"]]) expect(await client.send(batch)).toEqual(ok);
    expect(ports.size).toBe(1);
    await Promise.all([client.send(["a", "b"]), client.send(["a", "b"])]);
    expect(ports.size).toBe(2);
  } finally {
    client.close();
    await server.stop(true);
  }
});

test("no answer in time, stopped meanwhile, and nobody there", async () => {
  const arrived = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      if (request.headers.get("content-length") !== "0") arrived.resolve();
      return new Promise<Response>(() => {});
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  expect(await underLoad(url, "openai", 50).send(["a"])).toEqual(failed("timeout"));
  const stopped = underLoad(url);
  const answer = stopped.send(["a"]);
  await arrived.promise;
  stopped.close();
  expect(await answer).toEqual(failed("stopped"));
  await server.stop(true);
  expect(await underLoad(url).send(["a"])).toEqual({ kind: "refused", cause: "ECONNREFUSED" });
});

/** A new key and a certificate that nobody but itself has signed. */
async function selfSigned(): Promise<{ key: string; cert: string }> {
  const request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout - -out -";
  const pem = await Bun.$`openssl ${request.split(" ")}`.quiet().text();
  const from = pem.indexOf("-----BEGIN CERTIFICATE-----");
  return { key: pem.slice(0, from), cert: pem.slice(from) };
}

test("a server that can't show who it is gets neither key nor text", async () => {
  let requests = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: await selfSigned(),
    fetch() {
      requests += 1;
      return Response.json({ data: [{ embedding: "AAAA" }] });
    },
  });
  const client = underLoad(`https://127.0.0.1:${server.port}`);
  try {
    expect(await client.send(["a"])).toEqual(failed("DEPTH_ZERO_SELF_SIGNED_CERT"));
    expect(requests).toBe(0);
  } finally {
    client.close();
    await server.stop(true);
  }
});

test("a connection closed while it was idle did not take the request on; one closed during an answer may have", async () => {
  const body = JSON.stringify({ data: [{ embedding: "AAAA" }] });
  const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  let requests = 0;
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        requests += 1;
        // The second request on the first connection finds it closed; the one on the second connection half an answer.
        if (requests === 1) socket.write(answer);
        else if (requests === 2) socket.terminate();
        else socket.end(answer.slice(0, 20));
      },
    },
  });
  const client = underLoad(`http://127.0.0.1:${server.port}`);
  try {
    expect(await client.send(["a"])).toEqual(ok);
    expect((await client.send(["a"])).kind).toBe("refused");
    expect((await client.send(["a"])).kind).toBe("failed");
  } finally {
    client.close();
    server.stop(true);
  }
});
