import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let agent: Program;
let url: string;

beforeEach(async () => {
  directory = temporaryDirectory();
  const options = ["--listen", "127.0.0.1:0", "--grpc", "off", "--board", "none", "--broker", "mqtt://127.0.0.1:1"];
  const configPath = join(directory.path, "agent.json");
  // On a loaded machine the texts in flight take longer than the usual ten seconds; and so many are let in only where there is time for them.
  writeFileSync(
    configPath,
    JSON.stringify({
      serving: { stopGraceMs: 50_000, stopAnnounceMs: 4_000, requestTimeoutMs: 600_000, queueMs: 600_000 },
    }),
  );
  agent = startProgram(["agent", ...options, "--state-dir", directory.path, "--config", configPath], directory.path);
  url = JSON.parse(await agent.untilLogged('"agent started"')).url;
}, 60_000);

afterEach(async () => {
  await agent.stop("SIGKILL");
  directory.remove();
}, 30_000);

/** Asks for so many long texts; resolves with the status, or null when the connection was cut, once the agent is at it. */
async function ask(texts: number): Promise<{ answered: Promise<number | null> }> {
  const inputs = Array.from({ length: texts }, (_, i) => `robot ${i} ${"found its way ".repeat(60)}`);
  const answered = fetch(`${url}/api/v1/embed`, { method: "POST", body: JSON.stringify({ inputs }) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => null,
  );
  await eventually(
    async () => (await fetch(`${url}/metrics`)).text(),
    (text) => /^akidb_embedding_queue_depth [1-9]/m.test(text),
  );
  return { answered };
}

test("the first SIGTERM lets what is in flight finish, and the exit code is 0", async () => {
  const { answered } = await ask(12);
  expect(await agent.stop()).toBe(0);
  expect(await answered).toBe(200);
}, 90_000);

test("readiness goes false before nobody listens any more", async () => {
  const stopped = agent.stop();
  const seen: number[] = [];
  await eventually(
    // A connection of its own: one that is kept says nothing of the listener.
    () =>
      fetch(`${url}/readyz`, { headers: { connection: "close" } }).then(
        ({ status }) => seen.push(status),
        () => null,
      ),
    (answer) => answer === null,
  );
  expect(seen.at(-1)).toBe(503);
  expect(await stopped).toBe(0);
}, 60_000);

test("the second one ends it at once", async () => {
  const { answered } = await ask(2_000);
  agent.child.kill("SIGTERM");
  await agent.untilLogged('"to":"draining"');
  const secondMs = performance.now();
  expect(await agent.stop()).toBe(1);
  expect(performance.now() - secondMs).toBeLessThan(20_000);
  expect(await answered).toBeNull();
}, 60_000);
