import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestServing, testServing } from "../start-serving.ts";

let server: TestServing;
beforeAll(async () => {
  server = testServing({
    cacheBytes: 0,
    apiKeys: [
      { key: "key-of-red", tenant: "red" },
      { key: "key-of-blue", tenant: "blue" },
    ],
    queueRequests: 12,
    queueBytes: 400_000,
    queueMs: 60_000,
    requestTimeoutMs: 280_000,
  });
  await server.serving.start();
});
afterAll(() => server.serving.stop());

async function post(key: string, inputs: readonly string[], headers: Record<string, string> = {}) {
  const response = await fetch(`${server.serving.url}/api/v1/embed`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify({ inputs }),
  });
  await response.text();
  return { status: response.status, retryAfter: response.headers.get("retry-after") };
}

const numbered = (count: number, word: string) =>
  Array.from({ length: count }, (_, number) => `${word} number ${number} reports its state and asks for another part`);

test("while another tenant floods, one within its share gets all its answers, and the flood is told when to retry", async () => {
  let flooding = true;
  const flood = Array.from({ length: 30 }, async (_, client) => {
    const statuses: number[] = [];
    for (let n = 0; flooding; n += 1) {
      const { status, retryAfter } = await post("key-of-blue", numbered(20, `blue ${client} ${n}`));
      statuses.push(status);
      if (status === 429) expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
    }
    return statuses;
  });
  while (server.serving.queueDepth() === 0) await Bun.sleep(1);
  const own: number[] = [];
  for (let n = 0; n < 20; n += 1) own.push((await post("key-of-red", numbered(1 + (n % 4), `red ${n}`))).status);
  flooding = false;
  const others = (await Promise.all(flood)).flat();
  expect(own).toEqual(own.map(() => 200));
  expect(others).toContain(429);
  expect(others).toContain(200);
  expect(others.filter((status) => status !== 200 && status !== 429)).toEqual([]);
});

test("requests beyond the memory limit are refused, and one that is larger than the limit always is", async () => {
  const large = numbered(20, "x".repeat(2_000));
  const answers = await Promise.all(Array.from({ length: 8 }, () => post("key-of-red", large)));
  const statuses = answers.map(({ status }) => status);
  expect(statuses).toContain(200);
  expect(statuses).toContain(429);
  expect((await post("key-of-red", ["y".repeat(300_000)])).status).toBe(413);
  expect((await post("key-of-red", large)).status).toBe(200);
});

test("what can't be answered within the client's time is refused at once while others wait", async () => {
  const waiting = Array.from({ length: 2 }, (_, client) => post("key-of-red", numbered(60, `waiting ${client}`)));
  while (server.serving.queueDepth() === 0) await Bun.sleep(1);
  const answers = await Promise.all(
    Array.from({ length: 4 }, (_, n) => post("key-of-red", numbered(3, `hasty ${n}`), { "x-latency-budget": "2" })),
  );
  for (const { status } of answers) expect([429, 504]).toContain(status);
  expect(answers.map(({ status }) => status)).toContain(429);
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200]);
});
