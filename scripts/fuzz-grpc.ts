/** See scripts/fuzz-grpc. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { callOnce } from "../test/agent/serving/grpc/start-grpc.ts";
import { startProgram, temporaryDirectory } from "../test/e2e/program.ts";
import {
  callHeaders,
  flag,
  frame,
  grpcMessage,
  openRawConnection,
  type RawConnection,
  writeFrame,
  writeHeaders,
} from "../test/fakes/grpc/raw-connection.ts";
import { createRandom } from "./fuzz/random.ts";

const { values } = parseArgs({
  options: {
    binary: { type: "string" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
  },
});
const runMs = Number(values.seconds) * 1000;
const key = "fuzz-key-of-some-length";
/** Memory allowed: this many times the agent's memory at rest, plus one budget of messages that garbage collection has not freed yet. */
const maxGrowth = 1.5;
const graceBytes = 200_000_000;

const { below, chance, pick, bytes: noise } = createRandom(Number(values.seed));

const directory = temporaryDirectory();
const config = join(directory.path, "agent.json");
await Bun.write(config, JSON.stringify({ serving: { apiKeys: [key], grpc: { port: 0 } } }), { mode: 0o600 });
const command =
  values.binary === undefined ? [process.execPath, join(import.meta.dir, "../main.ts")] : [resolve(values.binary)];
const program = startProgram(
  ["agent", "--config", config, "--listen", "127.0.0.1:0", "--state-dir", join(directory.path, "state")],
  directory.path,
  {},
  command,
);
const { child: agent, log: logged } = program;
const residentBytes = () => Number(readFileSync(`/proc/${agent.pid}/statm`, "utf8").split(" ")[1]) * 4_096;

function fail(what: string): never {
  console.error(`fuzz-grpc (seed ${values.seed}): ${what}`);
  console.error(logged().split("\n").slice(-20).join("\n"));
  agent.kill("SIGKILL");
  directory.remove();
  process.exit(1);
}

const service = "akidb.embedding.v1.EmbeddingService";
const methods = [
  `${service}/Embed`,
  `${service}/Health`,
  `${service}/ListModels`,
  "grpc.health.v1.Health/Check",
  "grpc.health.v1.Health/Watch",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  "none.Such/Method",
  "",
  "\u00ff/\u0000",
];
const valid = [
  Buffer.from("\x12\x01a"),
  Buffer.from("\x12\x09one robot\x12\x0atwo robots\x20\x04"),
  Buffer.from("\x3a\x00"),
  Buffer.from("\x0a\x02hi"),
  Buffer.alloc(0),
];

/** Message with some of its bytes changed, removed or repeated. */
function mutated(body: Uint8Array): Buffer {
  let bytes = Buffer.from(body);
  for (let i = below(4); i > 0; i -= 1) {
    const at = below(bytes.length + 1);
    const change = below(3);
    if (change === 0 && at < bytes.length) bytes[at] = below(256);
    else if (change === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(3))]);
    else bytes = Buffer.concat([bytes.subarray(0, at), noise(1 + below(8)), bytes.subarray(at)]);
  }
  return bytes;
}

const authorizations = [
  [],
  [["authorization", `Bearer ${key}`]],
  [["authorization", "Bearer wrong"]],
  [["authorization", ""]],
] as const;
const oddHeaders = [
  ["grpc-timeout", "1m"],
  ["grpc-timeout", "99999999999H"],
  ["grpc-timeout", "x"],
  ["grpc-encoding", "gzip"],
  ["grpc-encoding", "none-such"],
  ["x-bin", "%%%"],
  ["x-much", "y".repeat(9_000)],
  ["x-thormesh-call", "1"],
  ["content-length", "5"],
  ["traceparent", "00-zz"],
] as const;

const headersOf = () =>
  writeHeaders([
    ...callHeaders(pick(methods), pick(authorizations)),
    ...(chance(0.3) ? [pick(oddHeaders)] : []),
    ...(chance(0.05) ? ([[":path", "/twice"]] as const) : []),
  ]);

const headers = (stream: number, flags: number = flag.endHeaders) =>
  writeFrame(frame.headers, flags, stream, headersOf());
const message = () => {
  const body = chance(0.3) ? noise(below(200)) : mutated(pick(valid));
  const announced = chance(0.2)
    ? pick([0, 1, body.length + 1, 4_194_304, 4_194_305, 0x7fffffff, 0xffffffff])
    : body.length;
  return grpcMessage(body, announced, chance(0.1) ? pick([1, 2, 255]) : 0);
};
const resetCode = () => Buffer.from([0, 0, 0, below(16)]);

/** Sends one random thing a client may send, on the new stream `stream`. */
const acts: Readonly<Record<string, (connection: RawConnection, stream: number) => Promise<unknown>>> = {
  call: (c, stream) => c.send(headers(stream), writeFrame(frame.data, flag.endStream, stream, message())),
  "headers alone": (c, stream) => c.send(headers(stream)),
  "headers that end": (c, stream) => c.send(headers(stream, flag.endHeaders | flag.endStream)),
  "short of the last byte": async (c, stream) => {
    await c.send(headers(stream));
    await c.sendData(stream, grpcMessage(Buffer.alloc(below(300_000)), 300_001), 100);
  },
  "headers without end": (c, stream) =>
    c.send(
      headers(stream, 0),
      writeFrame(chance(0.5) ? frame.data : frame.continuation, 0, chance(0.5) ? stream : stream + 2, noise(9)),
    ),
  continuations: async (c, stream) => {
    const parts = Array.from({ length: below(30) }, (_, i) =>
      writeFrame(frame.continuation, 0, stream, writeHeaders([[`x-${i}`, "y".repeat(3_000)]])),
    );
    return c.send(headers(stream, 0), ...parts);
  },
  "a wrong length": (c, stream) => {
    const bytes = chance(0.5)
      ? headers(stream)
      : writeFrame(pick([frame.settings, frame.ping, frame.windowUpdate, frame.reset]), 0, stream, noise(below(12)));
    bytes.writeUIntBE(pick([0, 1, 5, 16_384, 16_385, 0xffffff]), 0, 3);
    return c.send(bytes);
  },
  "resets at once": (c, stream) => {
    const parts: Buffer[] = [];
    for (let i = 0; i < 20; i += 1)
      parts.push(headers(stream + 2 * i), writeFrame(frame.reset, 0, stream + 2 * i, resetCode()));
    return c.send(...parts);
  },
  pings: (c) =>
    c.send(...Array.from({ length: 500 }, () => writeFrame(frame.ping, chance(0.1) ? flag.ack : 0, 0, noise(8)))),
  settings: (c) =>
    c.send(
      ...Array.from({ length: 50 }, () => {
        const setting = Buffer.alloc(6);
        setting.writeUInt16BE(below(9), 0);
        setting.writeUInt32BE(pick([0, 1, 65_535, 0x7fffffff, 0xffffffff]), 2);
        return writeFrame(frame.settings, 0, 0, setting);
      }),
    ),
  "windows that overflow": (c, stream) => {
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(pick([0, 1, 0x7fffffff, 0xffffffff]), 0);
    return c.send(
      headers(stream),
      ...Array.from({ length: 3 }, () => writeFrame(frame.windowUpdate, 0, chance(0.5) ? 0 : stream, increment)),
    );
  },
  "frames of any kind": (c, stream) =>
    c.send(
      ...Array.from({ length: 5 }, () =>
        writeFrame(below(12), below(256), chance(0.5) ? stream : below(50), noise(below(100))),
      ),
    ),
  "bad compression of headers": (c, stream) =>
    c.send(writeFrame(frame.headers, flag.endHeaders | flag.endStream, stream, noise(1 + below(60)))),
  "padding and priority": (c, stream) =>
    c.send(
      writeFrame(
        frame.headers,
        flag.endHeaders | flag.padded | flag.priority,
        stream,
        Buffer.concat([noise(6), headersOf()]),
      ),
    ),
  "data of no stream": (c, stream) => c.send(writeFrame(frame.data, 0, stream + 100, message())),
  "much of a stream of questions": async (c, stream) => {
    await c.send(
      writeFrame(
        frame.headers,
        flag.endHeaders,
        stream,
        writeHeaders(callHeaders(methods[5] as string, authorizations[1])),
      ),
    );
    await c.sendData(stream, Buffer.concat(Array.from({ length: 2_000 }, () => grpcMessage(valid[2] as Buffer))), 100);
  },
  "go away": (c) => c.send(writeFrame(frame.goAway, 0, 0, noise(8 + below(20)))),
  noise: (c) => c.send(noise(below(2_000))),
};
const names = Object.keys(acts);

/** Opens a connection, sends a few random things on it, and possibly cuts it off. */
async function attack(address: string): Promise<void> {
  const connection = await openRawConnection(address, {
    keep: () => false,
    ...(chance(0.1) ? { settings: noise(6 * below(4)) } : {}),
  }).catch(() => null);
  if (connection === null) return;
  if (chance(0.1)) connection.stopReading();
  let stream = 1;
  for (let i = 1 + below(8); i > 0 && !connection.closed; i -= 1) {
    const act = acts[pick(names)] as (typeof acts)[string];
    await Promise.race([act(connection, stream), Bun.sleep(500)]);
    stream += chance(0.1) ? 1 + below(4) : 2 * 21;
  }
  if (chance(0.5)) await Bun.sleep(below(20));
  connection.close();
}

const { url, grpc } = JSON.parse(
  await program.untilLogged('"agent started"').catch(() => fail("the agent ended before it served")),
);
const question = grpcMessage(Buffer.from("\x12\x09one robot"));
const authorization = `Bearer ${key}`;

/** View of the agent that a well-behaved client has. */
async function look(limitBytes: number): Promise<void> {
  if (agent.exitCode !== null || agent.signalCode !== null) fail("the agent ended");
  let status: number | null = null;
  // Other connections without a key may have displaced this one's: a refused call is tried again.
  for (let i = 0; i < 5 && status !== 0; i += 1) {
    status =
      (await Promise.race([callOnce(grpc, `/${service}/Embed`, { authorization }, question), Bun.sleep(20_000)]))
        ?.status ?? null;
  }
  if (status !== 0) fail(`a right call with the key: expected status 0, got ${status}`);
  const live = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(20_000) }).catch((error: unknown) => error);
  if (!(live instanceof Response) || live.status !== 200) fail(`/livez: expected 200, got ${live}`);
  const bytes = residentBytes();
  if (bytes > limitBytes) fail(`memory: expected at most ${limitBytes / 1e6} MB, got ${bytes / 1e6} MB`);
  const bad = logged()
    .split("\n")
    .find((line) => /this is a bug|unhandled|uncaught|"level":"(error|fatal)"/i.test(line));
  if (bad !== undefined) fail(`the log has: ${bad.slice(0, 2_000)}`);
}

await look(Number.POSITIVE_INFINITY);
const idleBytes = residentBytes();
const limitBytes = maxGrowth * idleBytes + graceBytes;
const untilMs = performance.now() + runMs;
let attacks = 0;
let peakBytes = idleBytes;
let lookedMs = performance.now();
while (performance.now() < untilMs) {
  // In sequence, so that the seed determines what is sent.
  await attack(grpc);
  attacks += 1;
  peakBytes = Math.max(peakBytes, residentBytes());
  if (performance.now() - lookedMs < 3_000) continue;
  await look(limitBytes);
  lookedMs = performance.now();
}
await look(limitBytes);
agent.kill();
await Promise.race([agent.exited, Bun.sleep(20_000)]);
if (agent.exitCode !== 0) fail(`told to end: expected exit code 0, got ${agent.exitCode ?? agent.signalCode}`);
directory.remove();
console.log(
  `fuzz-grpc: ${attacks} connections, seed ${values.seed}; memory ${Math.round(idleBytes / 1e6)} MB at rest, ${Math.round(peakBytes / 1e6)} MB at most`,
);
