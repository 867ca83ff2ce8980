/** A process of scripts/bench/dashboard: open Fleet pages, without their browsers. Arguments: address of the API, number of pages. */
import { secondMs } from "#platform/time.ts";

/** Requests of an open page besides its stream, with the time between two. */
const polled = [
  ["/api/v1/agents?limit=100", 5 * secondMs],
  ["/api/v1/fleet/history?hours=3", 10 * secondMs],
] as const;

const [api = "", pages = "1"] = process.argv.slice(2);

async function follow(): Promise<void> {
  const answer = await fetch(`${api}/api/v1/fleet/stream`);
  if (answer.status !== 200) throw new Error(`/api/v1/fleet/stream answered ${answer.status}`);
  // All of it is read, and nothing kept.
  for await (const _ of answer.body as ReadableStream<Uint8Array>);
}

async function poll(path: string, everyMs: number): Promise<never> {
  await Bun.sleep(everyMs * Math.random());
  for (;;) {
    const answer = await fetch(api + path);
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}`);
    await answer.arrayBuffer();
    await Bun.sleep(everyMs);
  }
}

for (let page = 0; page < Number(pages); page += 1) {
  void follow();
  for (const [path, everyMs] of polled) void poll(path, everyMs);
}
