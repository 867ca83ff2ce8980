import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { readTreeUsage } from "#tools/load/watch/process-tree.ts";
import { eventually, type Program, startProgram, temporaryDirectory } from "./program.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let program: Program;
let url: string;
let port: number;
let idleBytes: number;
const threads = 2;

/** Resident memory of the agent's process and its children. */
const rssBytes = () => readTreeUsage(program.child.pid)?.residentBytes ?? Number.NaN;

const embed = (body: string) =>
  fetch(`${url}/v1/embeddings`, { method: "POST", headers: { "content-type": "application/json" }, body });
const texts = Array.from({ length: 2048 }, (_, index) => `pallet ${index}`);
const largeRequest = JSON.stringify({ input: texts });

beforeAll(async () => {
  directory = temporaryDirectory();
  const path = join(directory.path, "agent.json");
  const config = {
    stateDir: directory.path,
    broker: { url: "mqtt://127.0.0.1:9" },
    serving: { port: 0, grpc: { enabled: false }, threads, requestTimeoutMs: 120_000, queueMs: 120_000 },
    power: { board: "none" },
    forecast: { training: { enabled: false } },
  };
  await Bun.write(path, JSON.stringify(config));
  program = startProgram(["agent", "--config", path], directory.path);
  ({ url } = JSON.parse(await program.untilLogged("agent started")));
  port = Number(new URL(url).port);
  await untilAllProcessesRun();
  // From here on all are answered from the cache.
  expect((await embed(largeRequest)).status).toBe(200);
  for (let index = 0; index < 5; index += 1) await (await embed(largeRequest)).arrayBuffer();
  await Bun.sleep(2_000);
  idleBytes = rssBytes();
});
afterAll(async () => {
  await program.stop("SIGKILL");
  directory.remove();
});

/** Embeds new texts until the model's processes of one thread, as many as threads, have started and computed. */
async function untilAllProcessesRun() {
  const processes = () => readTreeUsage(program.child.pid)?.processes ?? 0;
  const atStart = processes();
  for (let round = 0; processes() < atStart + threads; round += 1) {
    const input = Array.from({ length: 64 }, (_, index) => `crate ${round} ${index}`);
    expect((await embed(JSON.stringify({ input }))).status).toBe(200);
  }
  const rounds = Array.from({ length: 4 * threads }, (_, index) => `crate ${index} in a long queue `.repeat(30));
  const answers = await Promise.all(rounds.map((input) => embed(JSON.stringify({ input }))));
  for (const { status } of answers) expect(status).toBe(200);
}

/** Returns the peak of resident memory while `during` ran. */
async function highestRss(during: () => Promise<void>): Promise<number> {
  let highest = 0;
  const timer = setInterval(() => {
    highest = Math.max(highest, rssBytes());
  }, 50);
  await during();
  clearInterval(timer);
  return highest;
}

/** Opens a connection, sends, and reads nothing. */
function sendWithoutReading(text: string | Buffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, () => resolve(socket)));
    socket.pause();
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") resolve(socket);
      else reject(error);
    });
  });
}

async function answersAsUsual() {
  const answer = await eventually(
    () => embed('{"input":"pallet 1"}'),
    ({ status }) => status === 200,
  );
  expect(((await answer.json()) as { data: unknown[] }).data.length).toBe(1);
}

const head = (length: number, type = "application/json") =>
  `POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`;
const fourMb = 4 * 1024 * 1024;

/** Limit of growth over what it is at rest with all of its processes. */
const mostGrowthBytes = 250e6;

describe("an agent's memory grows by less than 250 MB", () => {
  test("while 60 clients ask for large answers and do not read them", async () => {
    const sockets: Socket[] = [];
    const highest = await highestRss(async () => {
      for (let index = 0; index < 60; index += 1) {
        sockets.push(await sendWithoutReading(head(Buffer.byteLength(largeRequest)) + largeRequest));
      }
      await Bun.sleep(5_000);
      await answersAsUsual();
    });
    for (const socket of sockets) socket.destroy();
    expect(highest - idleBytes).toBeLessThan(mostGrowthBytes);
  });

  test("while 200 clients send large bodies and stop short of the last byte", async () => {
    const body = Buffer.alloc(fourMb - 1, "[");
    const sockets: Socket[] = [];
    const highest = await highestRss(async () => {
      for (let index = 0; index < 200; index += 1) {
        sockets.push(await sendWithoutReading(Buffer.concat([Buffer.from(head(fourMb)), body])));
      }
      await Bun.sleep(2_000);
      await answersAsUsual();
    });
    for (const socket of sockets) socket.destroy();
    expect(highest - idleBytes).toBeLessThan(mostGrowthBytes);
  });

  test.each([
    { name: "empty arrays", body: `{"input":[${"[],".repeat(1_300_000)}[]]}` },
    { name: "fields", body: `{${Array.from({ length: 300_000 }, (_, index) => `"f${index}":1`).join(",")}}` },
    { name: "numbers, the last of which is none", body: `{"input":[${"1,".repeat(2_000_000)}"x"]}` },
    { name: "lists of numbers", body: `{"input":[${"[1],".repeat(1_000_000)}[1]]}` },
    { name: "nested arrays", body: "[".repeat(4_000_000) },
    { name: "one text", body: `{"input":["${"x".repeat(4_000_000)}"],"unknown":[${"[],".repeat(60_000)}[]]}` },
  ])("while 20 invalid bodies of megabytes of $name come at once", async ({ body }) => {
    const highest = await highestRss(async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () =>
          fetch(`${url}/api/v1/embed`, { method: "POST", headers: { "content-type": "application/json" }, body }),
        ),
      );
      for (const { status } of answers) expect([400, 413, 429]).toContain(status);
      await answersAsUsual();
    });
    expect(highest - idleBytes).toBeLessThan(mostGrowthBytes);
  });
});
