import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  callHeaders,
  flag,
  frame,
  grpcMessage,
  openRawConnection,
  writeFrame,
  writeHeaders,
} from "../fakes/grpc/raw-connection.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

const directory = temporaryDirectory();
const key = "a-key-of-some-length";
let agent: Program;
let url: string;
let grpc: string;
let idleBytes: number;

const residentBytes = () => Number(readFileSync(`/proc/${agent.child.pid}/statm`, "utf8").split(" ")[1]) * 4_096;

/** Returns the peak of the agent's memory while `work` ran. */
async function peakDuring(work: () => Promise<unknown>): Promise<number> {
  let peak = 0;
  const looking = setInterval(() => {
    peak = Math.max(peak, residentBytes());
  }, 10);
  await work();
  clearInterval(looking);
  return Math.max(peak, residentBytes());
}

beforeAll(async () => {
  const config = join(directory.path, "agent.json");
  writeFileSync(config, JSON.stringify({ serving: { apiKeys: [key], grpc: { port: 0 } } }), { mode: 0o600 });
  agent = startProgram(
    ["agent", "--config", config, "--listen", "127.0.0.1:0", "--state-dir", directory.path],
    directory.path,
  );
  ({ url, grpc } = JSON.parse(await agent.untilLogged("agent started")) as { url: string; grpc: string });
  // Code and data that the first requests of each kind load stay.
  for (let i = 0; i < 20; i += 1) await (await tokenize(["robot ".repeat(1_000)])).text();
  await Bun.sleep(500);
  idleBytes = residentBytes();
});
afterAll(async () => {
  await agent.stop("SIGKILL");
  directory.remove();
});

const tokenize = (inputs: readonly string[]) =>
  fetch(`${url}/tokenize`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ inputs }),
  });

test("gRPC messages without a key, all but their last byte", async () => {
  const part = grpcMessage(Buffer.alloc(3_000_000), 3_000_001);
  const peak = await peakDuring(() =>
    Promise.all(
      Array.from({ length: 16 }, async () => {
        const connection = await openRawConnection(grpc, { keep: () => false });
        for (let stream = 1; stream < 40 && !connection.closed; stream += 2) {
          const headers = writeHeaders(callHeaders("akidb.embedding.v1.EmbeddingService/Embed"));
          await connection.send(writeFrame(frame.headers, flag.endHeaders, stream, headers));
          await connection.sendData(stream, part, 100);
        }
        connection.close();
      }),
    ),
  );
  // A tenth of what was on offer would be too much.
  expect(peak).toBeLessThan(1.5 * idleBytes);
});

test("ten of the largest requests for tokens at once", async () => {
  let bytes = 0;
  const peak = await peakDuring(() =>
    Promise.all(
      Array.from({ length: 10 }, async () => {
        const answer = await tokenize(["a ".repeat(30_000), "b ".repeat(20_000)]);
        expect(answer.status).toBe(200);
        for await (const part of answer.body as ReadableStream<Uint8Array>) bytes += part.length;
      }),
    ),
  );
  expect(bytes).toBeGreaterThan(30_000_000);
  expect(peak).toBeLessThan(2.5 * idleBytes);
  await eventually(
    async () => residentBytes(),
    (bytes) => bytes <= 1.5 * idleBytes,
  );
});

test("more text than a request for tokens may have is refused", async () => {
  const answer = await tokenize(Array(40).fill("a ".repeat(50_000)));
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({
    param: "inputs",
    error: "inputs: expected at most 100000 characters in total, got 4000000",
  });
});

test("it said of nothing that it was a bug, and answers", async () => {
  expect(agent.log()).not.toContain("this is a bug");
  expect((await tokenize(["a"])).status).toBe(200);
});
