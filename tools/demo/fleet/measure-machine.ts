import type { SendResult } from "#tools/demo/traffic/send-embedding.ts";

const concurrency = 4;
const warmUpMs = 500;

/**
 * Measures how many requests a second an agent answers to a few clients that each send the next request when they have the answer.
 * @param measureMs real milliseconds, after a short warm-up
 * @throws Error when a request fails
 */
export async function measureQps(send: () => Promise<SendResult>, measureMs: number): Promise<number> {
  const startedMs = performance.now();
  const countFromMs = startedMs + warmUpMs;
  const endMs = countFromMs + measureMs;
  let answered = 0;
  const client = async () => {
    for (;;) {
      const result = await send();
      if (!result.ok) throw new Error(`an agent alone does not answer: ${result.failure}`);
      const nowMs = performance.now();
      if (nowMs >= endMs) return;
      if (nowMs >= countFromMs) answered += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return answered / (measureMs / 1000);
}
