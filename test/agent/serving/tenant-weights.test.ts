import { expect, test } from "bun:test";
import type { ComputeGate } from "#agent/serving/ports.ts";
import { testServing } from "./start-serving.ts";

/** Holds all batches until it is opened. */
function closedGate() {
  const opened = Promise.withResolvers<void>();
  const gate: ComputeGate = { enter: () => opened.promise };
  return { gate, open: opened.resolve };
}

test("a tenant of weight 3 gets three quarters of a full queue and of the model's time", async () => {
  const { gate, open } = closedGate();
  const server = testServing(
    {
      apiKeys: ["red", "blue"].map((tenant) => ({ key: `key-of-${tenant}`, tenant })),
      tenants: { red: { weight: 3, latencyBudgetMs: null } },
      queueTexts: 20,
      batchTexts: 1,
      oneThreadProcesses: 0,
    },
    { gate },
  );
  await server.serving.start();
  const ask = (tenant: string, count: number) =>
    Array.from({ length: count }, async (_, number) => {
      const { status } = await fetch(`${server.serving.url}/api/v1/embed`, {
        method: "POST",
        headers: { authorization: `Bearer key-of-${tenant}` },
        body: JSON.stringify({ inputs: [`${tenant} ${number}`] }),
      });
      return status;
    });
  try {
    let evicted = 0;
    const blue = ask("blue", 20).map(async (answer) => {
      const status = await answer;
      if (status === 429) evicted += 1;
      return status;
    });
    while (server.serving.queueDepth() < 20) await Bun.sleep(1);
    const red = ask("red", 15);
    while (evicted < 15) await Bun.sleep(1);
    expect([server.serving.queueDepth(), server.serving.inFlight()]).toEqual([20, 20]);
    open();
    expect(await Promise.all(red)).toEqual(red.map(() => 200));
    expect((await Promise.all(blue)).filter((status) => status === 200).length).toBe(5);
    expect(evicted).toBe(15);
    const first = server.sink.served.slice(0, 12).filter(({ tenant }) => tenant === "red").length;
    expect(first).toBeGreaterThanOrEqual(8);
    expect(first).toBeLessThanOrEqual(10);
  } finally {
    open();
    await server.serving.stop();
  }
});
