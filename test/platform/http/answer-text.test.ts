import { expect, spyOn, test } from "bun:test";
import { Elysia } from "elysia";
import { answerText } from "#platform/http/answer-text.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { createPendingAnswers, pendingAnswers } from "#platform/http/pending-answers.ts";
import { createLogger } from "#platform/log.ts";

const headers = { "content-type": "text/plain" };
const log = createLogger("test", "silent");

test("a short answer is sent at once and takes nothing of the memory for long ones", async () => {
  const pending = createPendingAnswers(1);
  expect(await answerText("a".repeat(65_536), headers, pending).text()).toBe("a".repeat(65_536));
  expect(pending.usedBytes()).toBe(0);
});

test.each([0, 1, 2, 3])("a long one comes whole, whatever its characters: %i bytes off", async (offset) => {
  const pending = createPendingAnswers(10_000_000);
  const text = "x".repeat(offset) + "🤖é".repeat(100_000);
  const response = answerText(text, headers, pending);
  expect(pending.usedBytes()).toBeGreaterThanOrEqual(text.length);
  expect(await response.text()).toBe(text);
  expect(pending.usedBytes()).toBe(0);
});

test("long answers of all routes are counted together; beyond the memory for them they are refused", async () => {
  const rows = Array.from({ length: 40_000 }, (_, i) => ({ row: i, text: "what is in it" }));
  const routes = new Elysia()
    .get("/value", () => rows)
    .get("/later", async () => ({ rows }))
    .get("/short", () => ({ short: true }));
  const about = { title: "test", description: "for tests", version: "1" };
  const app = createHttpApp({ about, authenticator: createAuthenticator({ apiKeys: [], log }), log, routes: [routes] });
  const get = (path: string) => app.fetch(new Request(`http://localhost${path}`));
  // On a busy machine, clients that have not read for two seconds would give way.
  using _stopped = spyOn(performance, "now").mockReturnValue(performance.now());
  const [value, later] = [await get("/value"), await get("/later")];
  expect(value.headers.get("content-type")).toContain("application/json");
  expect(pendingAnswers.usedBytes()).toBeGreaterThan(2 * JSON.stringify(rows).length);
  const more: Response[] = [];
  for (let i = 0; i < 20; i += 1) more.push(await get("/value"));
  expect(more.at(-1)?.status).toBe(429);
  expect(await more.at(-1)?.json()).toMatchObject({ code: "TOO_MANY_REQUESTS" });
  expect(await (await get("/short")).json()).toEqual({ short: true });
  expect(await value.json()).toEqual(rows);
  expect(await later.json()).toEqual({ rows });
  for (const response of more) if (!response.bodyUsed) await response.body?.cancel();
  expect(pendingAnswers.usedBytes()).toBe(0);
});
