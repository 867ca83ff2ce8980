import { expect, test } from "bun:test";
import { AgentLanes } from "#controller/fleet/agent-lanes.ts";

/** Work that ends when it is told to. */
function work(name: string, log: string[]) {
  const end = Promise.withResolvers<void>();
  const run = async () => {
    log.push(`${name} begins`);
    await end.promise;
    log.push(`${name} ends`);
  };
  return { run, end: end.resolve, fail: end.reject };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("of one agent in order, of different ones at once; when all lanes are taken whoever sends waits", async () => {
  const log: string[] = [];
  const errors: unknown[] = [];
  const lanes = new AgentLanes(3, (error) => errors.push(error));
  const [a1, a2, b1, c1] = [work("a1", log), work("a2", log), work("b1", log), work("c1", log)];
  await lanes.run("a", a1.run);
  await lanes.run("a", a2.run);
  const third = lanes.run("b", b1.run);
  let hasRoom = false;
  void third.then(() => {
    hasRoom = true;
  });
  await turn();
  expect(log).toEqual(["a1 begins", "b1 begins"]);
  expect(hasRoom).toBe(false);
  a1.fail(new Error("no store"));
  await third;
  expect(log).toEqual(["a1 begins", "b1 begins", "a2 begins"]);
  expect(errors).toEqual([new Error("no store")]);
  const fourth = lanes.run("c", c1.run);
  a2.end();
  await fourth;
  b1.end();
  c1.end();
  await turn();
  expect(log.slice(3).sort()).toEqual(["a2 ends", "b1 ends", "c1 begins", "c1 ends"]);
});
