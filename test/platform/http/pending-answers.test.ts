import { expect, test } from "bun:test";
import { connect } from "node:net";
import { Elysia } from "elysia";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { createPendingAnswers } from "#platform/http/pending-answers.ts";
import { serveHttp } from "#platform/http/serve-http.ts";
import { createLogger } from "#platform/log.ts";

function* pieces(count: number, made: string[] = []) {
  for (let index = 0; index < count; index += 1) {
    made.push(String(index));
    yield `${index};`;
  }
}

test("an answer comes whole, and its memory is given back with its end", async () => {
  const answers = createPendingAnswers(1000);
  const response = answers.stream(600, { "content-type": "text/plain" }, pieces(5));
  expect(response.headers.get("content-type")).toBe("text/plain");
  expect(answers.usedBytes()).toBe(600);
  expect(await response.text()).toBe("0;1;2;3;4;");
  expect(answers.usedBytes()).toBe(0);
});

test("a piece is made when the client takes the one before", async () => {
  const made: string[] = [];
  const reader = createPendingAnswers(1000).stream(1, {}, pieces(100, made)).body?.getReader();
  await reader?.read();
  expect(made.length).toBeLessThan(5);
});

test("a client that leaves gives its memory back", async () => {
  const answers = createPendingAnswers(1000);
  await answers.stream(600, {}, pieces(100)).body?.cancel();
  expect(answers.usedBytes()).toBe(0);
});

test("who has stopped reading makes room; who reads keeps it, and the newcomer is told to come back", async () => {
  let nowMs = 0;
  const answers = createPendingAnswers(1000, () => nowMs);
  const stalled = answers.stream(500, {}, pieces(100));
  const reading = answers.stream(400, {}, pieces(100));
  const reader = reading.body?.getReader();
  expect(() => answers.stream(500, {}, pieces(1))).toThrow("answers that other clients have not read yet");
  await Bun.sleep(0); // the streams have taken their first pieces
  nowMs = 2_500;
  await reader?.read();
  await reader?.read();
  expect(await answers.stream(500, {}, pieces(1)).text()).toBe("0;");
  expect(answers.cutOff()).toBe(1);
  await expect(stalled.text()).rejects.toThrow("the client stopped reading");
  expect((await reader?.read())?.done).toBe(false);
  expect(answers.usedBytes()).toBe(400);
});

test("all of the memory may be used", async () => {
  let nowMs = 0;
  const answers = createPendingAnswers(1000, () => nowMs);
  const reading = answers.stream(500, {}, pieces(100)).body?.getReader();
  answers.stream(500, {}, pieces(100));
  await Bun.sleep(0); // the streams have taken their first pieces
  nowMs = 2_500;
  await reading?.read();
  await reading?.read();
  expect(await answers.stream(500, {}, pieces(1)).text()).toBe("0;");
  expect(answers.cutOff()).toBe(1);
});

test("an answer of which nothing is read for a minute is cut off, with memory to spare", async () => {
  let nowMs = 0;
  const answers = createPendingAnswers(1_000_000, () => nowMs);
  const stalled = answers.stream(500, {}, pieces(100));
  const reading = answers.stream(400, {}, pieces(100)).body?.getReader();
  await Bun.sleep(0); // the streams have taken their first pieces
  nowMs = 59_000;
  await reading?.read();
  await reading?.read();
  answers.sweep();
  expect([answers.usedBytes(), answers.cutOff()]).toEqual([900, 0]);
  nowMs = 60_000;
  answers.sweep();
  expect([answers.usedBytes(), answers.cutOff()]).toEqual([400, 1]);
  await expect(stalled.text()).rejects.toThrow("the client stopped reading");
  expect((await reading?.read())?.done).toBe(false);
});

test("an answer larger than all memory is sent alone", async () => {
  const answers = createPendingAnswers(10);
  expect(await answers.stream(500, {}, pieces(2)).text()).toBe("0;1;");
});

/** Waits until a number has not changed for a while. */
async function untilSettled(read: () => number): Promise<void> {
  for (let before = -1, same = 0; same < 20; same = read() === before ? same + 1 : 0) {
    before = read();
    await Bun.sleep(5);
  }
}

test("cutting off closes the connection of a client that does not read", async () => {
  let nowMs = 0;
  let made = 0;
  const answers = createPendingAnswers(1_000_000_000, () => nowMs);
  function* manyPieces() {
    for (; made < 1_000; made += 1) yield "x".repeat(65_536);
  }
  const log = createLogger("test", "silent");
  const routes = new Elysia().get("/", () => answers.stream(1, {}, manyPieces()));
  const about = { title: "test", description: "for tests", version: "1" };
  const app = createHttpApp({ about, authenticator: createAuthenticator({ apiKeys: [], log }), log, routes: [routes] });
  const server = serveHttp(app, { host: "127.0.0.1", port: 0, log });
  const closed = Promise.withResolvers<void>();
  const socket = connect(server.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  socket.pause();
  socket.on("error", () => {});
  socket.on("close", closed.resolve);
  while (made === 0) await Bun.sleep(5);
  await untilSettled(() => made);
  expect([server.inFlight(), made < 1_000]).toEqual([1, true]);
  nowMs = 60_000;
  answers.sweep();
  // With nothing of it read by the client.
  while (server.inFlight() > 0) await Bun.sleep(5);
  socket.resume();
  await closed.promise;
  await server.stop(0);
});
