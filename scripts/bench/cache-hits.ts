/**
 * Measures how many requests that the cache answers (OpenAI's shape, one short text, base64) an agent does in a second of processor time,
 * beside two servers in the same run that only read the JSON and answer the same bytes: Bun's own and Elysia with its validation.
 * Usage: scripts/bench/cache-hits [--binary FILE] [--seconds N] [--json]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { temporaryDirectory } from "../../test/e2e/program.ts";

const root = join(import.meta.dir, "..", "..");
const { values } = parseArgs({
  options: {
    binary: { type: "string", default: join(root, "dist", `thormesh-linux-${process.arch}`) },
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

/** Seconds of processor time that a process and its children have used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return ticks / 100 + children.reduce((sum, child) => sum + cpuSeconds(Number(child)), 0);
}

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
  readonly child: Bun.Subprocess;
  readonly port: number;
  readonly perCoreS: number[];
  readonly perS: number[];
}

/** The first whole line that is `wanted`. What comes later is read too, so that its writer is never held up. */
function firstLine(stream: ReadableStream<Uint8Array>, wanted: (line: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    void (async () => {
      let text = "";
      for await (const chunk of stream) {
        text += new TextDecoder().decode(chunk);
        const line = text.split("\n").slice(0, -1).find(wanted);
        if (line !== undefined) resolve(line);
      }
      reject(new Error(`it ended:\n${text}`));
    })();
  });
}

async function startAgent(directory: string): Promise<Running> {
  const command = values.binary.endsWith(".ts") ? [process.execPath, values.binary] : [values.binary];
  const child = Bun.spawn([...command, "agent", "--listen", "127.0.0.1:0", "--state-dir", directory], {
    cwd: directory,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const line = await firstLine(child.stderr, (candidate) => candidate.includes('"msg":"serving"'));
  const { port } = new URL((JSON.parse(line) as { url: string }).url);
  return { name: "agent", child, port: Number(port), perCoreS: [], perS: [] };
}

async function startEcho(kind: string, answer: string): Promise<Running> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--echo", kind], {
    stdin: new Blob([answer]),
    stdout: "pipe",
    stderr: "inherit",
  });
  const port = Number(await firstLine(child.stdout, () => true));
  return { name: kind, child, port, perCoreS: [], perS: [] };
}

async function measure(): Promise<void> {
  const directory = temporaryDirectory();
  const servers: Running[] = [];
  try {
    const agent = await startAgent(directory.path);
    servers.push(agent);
    const answer = await fetch(`http://127.0.0.1:${agent.port}/v1/embeddings`, {
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
        const cpuBefore = cpuSeconds(server.child.pid);
        const startedMs = performance.now();
        const answered = await drive(server.port, seconds);
        server.perS.push((answered / (performance.now() - startedMs)) * 1000);
        server.perCoreS.push(answered / (cpuSeconds(server.child.pid) - cpuBefore));
      }
    }
    const middle = (figures: number[]) => Math.round(figures.sort((a, b) => a - b)[rounds >> 1] as number);
    const figures = servers.map(({ name, perCoreS, perS }) => ({
      name,
      perCoreS: middle(perCoreS),
      perS: middle(perS),
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
    for (const { child } of servers) child.kill("SIGTERM");
    await Promise.all(servers.map(({ child }) => child.exited));
    directory.remove();
  }
}

await (values.echo === undefined ? measure() : serveEcho(values.echo));
