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
  // Longer than a test may take: requests in flight finish, or are cut off by the second signal.
  writeFileSync(
    configPath,
    JSON.stringify({
      serving: { stopGraceMs: 600_000, stopAnnounceMs: 4_000, requestTimeoutMs: 600_000, queueMs: 600_000 },
    }),
  );
  agent = startProgram(["agent", ...options, "--state-dir", directory.path, "--config", configPath], directory.path);
  url = JSON.parse(await agent.untilLogged('"agent started"')).url;
});

afterEach(async () => {
  await agent.stop("SIGKILL");
  directory.remove();
});

/** Sends a request of `texts` long texts and resolves once they are queued. `answered` is the status, or null if the connection was cut. */
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
});

test("readiness goes false before the listener is closed", async () => {
  const stopped = agent.stop();
  const seen: number[] = [];
  await eventually(
    // A new connection each time: a kept one tells nothing about the listener.
    () =>
      fetch(`${url}/readyz`, { headers: { connection: "close" } }).then(
        ({ status }) => seen.push(status),
        () => null,
      ),
    (answer) => answer === null,
  );
  expect(seen.at(-1)).toBe(503);
  expect(await stopped).toBe(0);
});

test("the second one ends it at once", async () => {
  const { answered } = await ask(2_000);
  agent.child.kill("SIGTERM");
  await agent.untilLogged('"to":"draining"');
  expect(await agent.stop()).toBe(1);
  expect(await answered).toBeNull();
});
