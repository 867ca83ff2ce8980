import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestServing, testServing } from "../start-serving.ts";

let server: TestServing;
beforeAll(async () => {
  server = testServing({ cacheBytes: 0, maxBodyBytes: 4_000_000, requestTimeoutMs: 280_000, queueMs: 280_000 });
  await server.serving.start();
});
afterAll(() => server.serving.stop());

const numbered = (count: number, word: string) =>
  Array.from({ length: count }, (_, number) => `${word} number ${number} reports its state`);

test("single texts are answered while another client's thousand are being computed", async () => {
  let largeDone = false;
  const large = server.post("/api/v1/embed", { inputs: numbered(1_000, "conveyor") }).then((answer) => {
    largeDone = true;
    return answer;
  });
  // Its texts are in the queue from here on.
  while (server.serving.queueDepth() === 0) await Bun.sleep(1);
  for (const text of numbered(15, "robot")) {
    const { status } = await server.post("/api/v1/embed", { inputs: [text] });
    expect(status).toBe(200);
    expect(largeDone).toBe(false);
  }
  const { status, body } = await large;
  expect(status).toBe(200);
  expect(body["embeddings"].length).toBe(1_000);
});

test("a large request is split, not refused, and its vectors are those of its texts alone", async () => {
  const inputs = numbered(1_500, "press");
  const { status, body } = await server.post("/api/v1/embed", { inputs });
  expect(status).toBe(200);
  for (const place of [0, 700, 1_499]) {
    const alone = await server.post("/v1/embeddings", { input: inputs[place] });
    const dot = (alone.body["data"][0].embedding as number[]).reduce(
      (sum, value, i) => sum + value * body["embeddings"][place][i],
      0,
    );
    expect(dot).toBeGreaterThan(0.9999);
  }
});

test("with a long queue the single-threaded processes take over, and answer as the first one does", async () => {
  const inputs = numbered(2_000, "hall");
  const before = await server.post("/api/v1/embed", { inputs: [inputs[1_999]] });
  const fresh = testServing({ cacheBytes: 0, maxBodyBytes: 4_000_000, requestTimeoutMs: 280_000, queueMs: 280_000 });
  await fresh.serving.start();
  try {
    // Their memory says little of their number: they share the weights.
    let processes = 0;
    const watch = setInterval(() => {
      processes = Math.max(processes, fresh.serving.modelPids().length);
    }, 200);
    let last: number[] | undefined;
    // Until they have been started and have loaded the model.
    for (let round = 0; processes < 2 && round < 20; round += 1) {
      const { body } = await fresh.post("/api/v1/embed", { inputs });
      last = body["embeddings"][1_999];
    }
    clearInterval(watch);
    expect(processes).toBeGreaterThanOrEqual(2);
    const expected = before.body["embeddings"][0] as number[];
    expect(last!.reduce((sum, value, i) => sum + value * expected[i]!, 0)).toBeGreaterThan(0.9999);
  } finally {
    await fresh.serving.stop();
  }
});
