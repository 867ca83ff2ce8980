/** See scripts/bench/cache-hits. */
import { parseArgs } from "node:util";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { readTreeUsage } from "#tools/load/watch/process-tree.ts";
import { median } from "./median.ts";
import { hostBinary, startAgent } from "./start-agent.ts";

const { values } = parseArgs({
  options: {
    binary: { type: "string", default: hostBinary },
    seconds: { type: "string", default: "4" },
    json: { type: "boolean", default: false },
    echo: { type: "string" },
  },
});
const rounds = 3;
const connections = 16;
const wantedPerCoreS = 20_000;
const body = JSON.stringify({
  model: "all-MiniLM-L6-v2",
  input: "the gripper lost the part at station four",
  encoding_format: "base64",
});

/** The bare servers, in a process of their own: `--echo bun|elysia`, the answer's bytes on standard input. */
async function serveEcho(kind: string): Promise<void> {
  const answer = await Bun.stdin.text();
  const respond = () => new Response(answer, { headers: { "content-type": "application/json" } });
  const listen = { hostname: "127.0.0.1", port: 0 };
  const Body = Type.Object({
    model: Type.String(),
    input: Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }))]),
    encoding_format: Type.String(),
  });
  const app = new Elysia().post("/v1/embeddings", respond, { parse: "json", body: Body });
  const server =
    kind === "bun"
      ? Bun.serve({
          ...listen,
          async fetch(request) {
            await request.json();
            return respond();
          },
        })
      : Bun.serve({ ...listen, fetch: app.fetch });
  console.log(server.port);
}

/** Processor time that a process and its descendants have used. */
const cpuSeconds = (pid: number) => readTreeUsage(pid)?.cpuS ?? 0;

/** Closed loop over plain sockets: what the client itself costs is small and not the server's. Resolves with the answers that came. */
async function drive(port: number, seconds: number): Promise<number> {
  const request = `POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const endMs = performance.now() + seconds * 1000;
  let answered = 0;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      let received = 0;
      /** All answers have the same length. */
      let length = 0;
      void Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          open: (socket) => void socket.write(request),
          data(socket, bytes) {
            if (received === 0) {
              const head = bytes.toString("latin1", 0, 1000);
              if (!head.startsWith("HTTP/1.1 200")) return reject(new Error(`expected 200, got ${head}`));
              if (length === 0) {
                length = head.indexOf("\r\n\r\n") + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1]);
              }
            }
            received += bytes.length;
            if (received < length) return;
            received -= length;
            answered += 1;
            if (performance.now() < endMs) socket.write(request);
            else {
              socket.end();
              resolve();
            }
          },
          error: (_socket, error) => reject(error),
          close: () => resolve(),
        },
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
  return answered;
}

interface Running {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly perCoreS: number[];
  readonly perS: number[];
  stop(): Promise<void>;
}

function running(name: string, pid: number, port: number, stop: () => Promise<void>): Running {
  return { name, pid, port, perCoreS: [], perS: [], stop };
}

async function startEcho(kind: string, answer: string): Promise<Running> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--echo", kind], {
    stdin: new Blob([answer]),
    stdout: "pipe",
    stderr: "inherit",
  });
  for await (const line of child.stdout.pipeThrough(new TextDecoderStream())) {
    return running(kind, child.pid, Number(line), async () => {
      child.kill("SIGTERM");
      await child.exited;
    });
  }
  throw new Error(`the ${kind} server did not start`);
}

async function measure(): Promise<void> {
  const agent = await startAgent(values.binary);
  const servers = [running("agent", agent.pid, Number(new URL(agent.url).port), agent.stop)];
  try {
    const answer = await fetch(`${agent.url}/v1/embeddings`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const bytes = await answer.text();
    if (answer.status !== 200) throw new Error(bytes);
    servers.push(await startEcho("bun", bytes), await startEcho("elysia", bytes));
    const seconds = Number(values.seconds);
    for (const { port } of servers) await drive(port, 1);
    for (let round = 0; round < rounds; round += 1) {
      for (const server of servers) {
        const cpuBefore = cpuSeconds(server.pid);
        const startedMs = performance.now();
        const answered = await drive(server.port, seconds);
        server.perS.push((answered / (performance.now() - startedMs)) * 1000);
        server.perCoreS.push(answered / (cpuSeconds(server.pid) - cpuBefore));
      }
    }
    const figures = servers.map(({ name, perCoreS, perS }) => ({
      name,
      perCoreS: Math.round(median(perCoreS)),
      perS: Math.round(median(perS)),
    }));
    const perCoreS = figures[0]?.perCoreS ?? 0;
    const rows = figures.map((figure) => ({ ...figure, ratio: Math.round((perCoreS / figure.perCoreS) * 100) / 100 }));
    if (values.json) console.log(JSON.stringify({ connections, seconds, bytes: bytes.length, servers: rows }));
    else {
      console.log(
        `answers of ${bytes.length} bytes from the cache, ${connections} connections, median of ${rounds} × ${seconds} s`,
      );
      for (const { name, perCoreS, perS, ratio } of rows) {
        console.log(
          `${name.padEnd(7)} ${perCoreS} requests per second of processor time, ${perS} requests/s, agent ÷ this: ${ratio}`,
        );
      }
      console.log(
        `wanted of the agent: ${wantedPerCoreS} a core: ${perCoreS >= wantedPerCoreS ? "reached" : "missed"}`,
      );
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

await (values.echo === undefined ? measure() : serveEcho(values.echo));
