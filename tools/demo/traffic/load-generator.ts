import type { Clock } from "#platform/clock.ts";
import { minuteMs } from "#platform/time.ts";
import type { TrafficCounts } from "#tools/demo/view/snapshot.ts";
import { LatencyQuantiles } from "./latency-quantiles.ts";
import { paceMinute } from "./pace.ts";
import type { Client, SendResult } from "./send-embedding.ts";

/** Limit of requests in flight; others wait, so that a stuck fleet does not fill the memory. */
const maxInFlight = 1_000;
const rateWindowMs = 2_000;

export interface LoadOptions {
  readonly clock: Clock;
  /** Real time, by which the shown rate is measured. */
  readonly realNowMs: () => number;
  /** Number of real requests in the clock minute that begins at `minuteStartMs`. */
  readonly requestsInMinute: (minuteStartMs: number) => number;
  readonly nextText: () => string;
  /** They take turns. */
  readonly clients: readonly [Client, ...Client[]];
  readonly send: (client: Client, text: string) => Promise<SendResult>;
  /** Called with the result of every request, and the clock's time at which it was sent. */
  readonly onResult: (sentAtMs: number, result: SendResult) => void;
}

/** Replays a rate in clock time: each request is sent when due, whether or not earlier ones were answered. */
export class LoadGenerator {
  readonly #options: LoadOptions;
  readonly #abort = new AbortController();
  readonly #latencies = new LatencyQuantiles();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #sentAtMs: number[] = [];
  #sent = 0;
  #errors = 0;
  #retries = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Sends requests until the clock shows `untilMs` or until {@link stop}; resolves when the last one has its answer. */
  async run(untilMs: number): Promise<void> {
    const { clock, requestsInMinute } = this.#options;
    const { signal } = this.#abort;
    const startedMs = clock.nowMs();
    let carry = 0;
    for (let startMs = Math.floor(startedMs / minuteMs) * minuteMs; startMs < untilMs; startMs += minuteMs) {
      const paced = paceMinute(requestsInMinute(startMs), carry);
      carry = paced.carry;
      for (const offset of paced.offsets) {
        const dueMs = startMs + offset * minuteMs;
        if (dueMs < startedMs) continue;
        if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs(), signal);
        while (this.#inFlight.size >= maxInFlight && !signal.aborted) await Promise.race(this.#inFlight);
        if (signal.aborted) break;
        this.#sendOne();
      }
      if (startMs + minuteMs > clock.nowMs()) await clock.sleep(startMs + minuteMs - clock.nowMs(), signal);
      if (signal.aborted) break;
    }
    await Promise.all(this.#inFlight);
  }

  /** Stops sending; {@link run} resolves when the requests in flight have their answers. */
  stop(): void {
    this.#abort.abort();
  }

  counts(): TrafficCounts {
    return {
      requests: this.#latencies.total,
      errors: this.#errors,
      retries: this.#retries,
      latencyMs: {
        p50: this.#latencies.quantileMs(0.5),
        p95: this.#latencies.quantileMs(0.95),
        p99: this.#latencies.quantileMs(0.99),
      },
    };
  }

  /** Requests sent a real second, over the last two seconds. */
  sentQps(): number {
    this.#forgetOld(this.#options.realNowMs());
    return this.#sentAtMs.length / (rateWindowMs / 1000);
  }

  #forgetOld(nowMs: number): void {
    const keepFrom = this.#sentAtMs.findIndex((atMs) => atMs > nowMs - rateWindowMs);
    this.#sentAtMs.splice(0, keepFrom === -1 ? this.#sentAtMs.length : keepFrom);
  }

  #sendOne(): void {
    const nowMs = this.#options.realNowMs();
    this.#sentAtMs.push(nowMs);
    if (this.#sentAtMs.length > 1_000) this.#forgetOld(nowMs);
    const { clients, clock, nextText, send } = this.#options;
    const client = clients[this.#sent % clients.length] ?? clients[0];
    this.#sent += 1;
    const sentAtMs = clock.nowMs();
    const done = send(client, nextText()).then((result) => {
      this.#retries += result.retries;
      if (result.ok) {
        this.#latencies.record(result.latencyMs);
      } else {
        this.#errors += 1;
      }
      this.#options.onResult(sentAtMs, result);
      this.#inFlight.delete(done);
    });
    this.#inFlight.add(done);
  }
}
