import { median } from "../median.ts";
import { benchModel } from "./fleet.ts";

const rounds = 400;
let text = 0;

async function timeOf(url: string): Promise<number> {
  text += 1;
  const startedMs = performance.now();
  const response = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: benchModel, input: `the ${text}th text`, encoding_format: "base64" }),
  });
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${url}: expected 200, got ${response.status}`);
  return performance.now() - startedMs;
}

/** A process of its own that answers as many bytes as a vector has: what HTTP alone takes between two processes. */
const echo = `const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: async (request) => {
  await request.arrayBuffer(); return new Response(new Uint8Array(2200)); } }); console.log(server.port);`;

/** Returns medians of one request after the other, in turns: to a board, through an entry, and one that is answered without work; ms. */
export async function hopCost(
  board: string,
  entry: string,
): Promise<{ direct: number; through: number; http: number }> {
  const child = Bun.spawn([process.execPath, "-e", echo], { stdout: "pipe" });
  try {
    const { value } = await child.stdout.getReader().read();
    const http = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}`;
    const times = { direct: [] as number[], through: [] as number[], http: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      times.direct.push(await timeOf(board));
      times.through.push(await timeOf(entry));
      times.http.push(await timeOf(http));
    }
    return { direct: median(times.direct), through: median(times.through), http: median(times.http) };
  } finally {
    child.kill();
    await child.exited;
  }
}
