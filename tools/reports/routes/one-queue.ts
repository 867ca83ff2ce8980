import { EventQueue } from "./event-queue.ts";
import { networkMs, type ServerKind } from "./route-scene.ts";

/**
 * Returns the latencies of requests that wait in one queue for all servers, of which the fastest free one takes the first: no router does better
 * without making texts shorter.
 */
export function simulateOneQueue(
  makes: readonly ServerKind[],
  arrivals: readonly { readonly atMs: number; readonly work: number }[],
): { readonly atMs: number; readonly ms: number }[] {
  const events = new EventQueue();
  const lanes = makes
    .flatMap(({ count, qps, lanes }) => Array.from({ length: count * lanes }, () => (1000 * lanes) / qps))
    .sort((a, b) => a - b);
  const isBusy = lanes.map(() => false);
  const waiting: { readonly atMs: number; readonly work: number }[] = [];
  const latencies: { readonly atMs: number; readonly ms: number }[] = [];
  let head = 0;
  const serve = () => {
    while (head < waiting.length) {
      const lane = isBusy.indexOf(false);
      if (lane < 0) return;
      const { atMs, work } = waiting[head] as (typeof waiting)[number];
      head += 1;
      isBusy[lane] = true;
      events.after(work * (lanes[lane] as number), () => {
        isBusy[lane] = false;
        latencies.push({ atMs, ms: events.nowMs() - atMs + networkMs });
        serve();
      });
    }
  };
  const arrive = (index: number) => {
    const arrival = arrivals[index];
    if (arrival === undefined) return;
    events.after(arrival.atMs - events.nowMs(), () => {
      waiting.push(arrival);
      serve();
      arrive(index + 1);
    });
  };
  arrive(0);
  events.run();
  return latencies;
}
