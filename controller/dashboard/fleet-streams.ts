import { ServiceError } from "#platform/errors.ts";
import { secondMs } from "#platform/time.ts";
import { changeTexts, endText, eventOfRun, heartbeatText, resetText, retryText, snapshotText } from "./fleet-events.ts";
import type { FleetChanges, FleetWatch } from "./fleet-watch.ts";

export interface FleetStreamsParts {
  readonly watch: FleetWatch;
  /** Tells whether a request would be let in now: keys are revoked and sessions end while a stream is open. */
  readonly isAllowed: (request: Request) => boolean | Promise<boolean>;
  /** Monotonic clock. Default: the machine's. */
  readonly monotonicMs?: () => number;
  /** Time between two readings of the fleet while there are listeners. Default: one second. */
  readonly everyMs?: number;
  /** Most streams at once, in all and of one client. Default: 256 and 64. */
  readonly limits?: { readonly all: number; readonly perClient: number };
}

/** Wishes of a client. */
export interface StreamRequest {
  readonly request: Request;
  /** Name that streams of one client are counted by. */
  readonly client: string;
  /** Id of the event after which to continue; null: from the beginning. */
  readonly after: string | null;
  /** False: figures without the agents' rows. */
  readonly withRows: boolean;
}

interface Stream extends StreamRequest {
  isOver: boolean;
  wake: () => void;
}

const heartbeatEachMs = 15 * secondMs;
const checkEachMs = secondMs;
const retryAfterS = 5;

/**
 * Open streams of the live fleet. Nothing is queued for a client: once it has read an event it gets the newest state of all that
 * changed since, so a slow reader costs no memory and misses only what was replaced. Without listeners nothing runs.
 */
export class FleetStreams {
  readonly #parts: FleetStreamsParts;
  readonly #monotonicMs: () => number;
  readonly #streams = new Set<Stream>();
  readonly #encoder = new TextEncoder();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isStopped = false;
  #refused = 0;
  /** Change for most listeners, serialised once. */
  #shared: { readonly key: string; readonly pieces: readonly Uint8Array[] } | null = null;

  constructor(parts: FleetStreamsParts) {
    this.#parts = parts;
    this.#monotonicMs = parts.monotonicMs ?? (() => performance.now());
  }

  /** Number of open streams. */
  get size(): number {
    return this.#streams.size;
  }

  /** Number of streams that were refused, as there were too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Opens a stream. @throws ServiceError TOO_MANY_REQUESTS when too many are open */
  open(asked: StreamRequest): Response {
    const { all, perClient } = this.#parts.limits ?? { all: 256, perClient: 64 };
    const own = [...this.#streams].filter(({ client }) => client === asked.client).length;
    if (this.#isStopped) throw new ServiceError("SHUTTING_DOWN", "the controller is stopping", { retryAfterS });
    if (this.#streams.size >= all || own >= perClient) {
      this.#refused += 1;
      const full = own >= perClient ? `${perClient} per client` : `${all} in all`;
      throw new ServiceError("TOO_MANY_REQUESTS", `streams: expected at most ${full}; close one first`, {
        retryAfterS,
      });
    }
    // A copy, as the server may give up a request's own headers with its answer.
    const request = new Request(asked.request.url, { headers: [...asked.request.headers] });
    const stream: Stream = { ...asked, request, isOver: false, wake() {} };
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => this.tick(), this.#parts.everyMs ?? secondMs);
    const pieces = this.#write(stream);
    const end = () => this.#end(stream);
    asked.request.signal.addEventListener("abort", end, { once: true });
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await pieces.next();
          if (next.done !== true) return controller.enqueue(next.value);
          end();
          controller.close();
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" } });
  }

  /** Looks at the fleet and tells the listeners. */
  tick(): void {
    this.#parts.watch.look();
    for (const stream of this.#streams) stream.wake();
  }

  /** Ends all streams: an open one would hold up the server's stop. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.wake();
  }

  #end(stream: Stream): void {
    stream.isOver = true;
    stream.wake();
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async *#write(stream: Stream): AsyncGenerator<Uint8Array> {
    const { watch, isAllowed } = this.#parts;
    const encode = (text: string) => this.#encoder.encode(text);
    yield encode(retryText);
    let event = stream.after === null ? null : eventOfRun(stream.after, watch.run);
    watch.look();
    const isKnown = event !== null && watch.changesSince(event) !== null;
    if (stream.after !== null && !isKnown)
      yield encode(resetText(event === null ? "the controller has restarted" : "too much has happened since"));
    if (!isKnown) event = null;
    let sentMs = this.#monotonicMs();
    let checkedMs = sentMs;
    while (!stream.isOver) {
      if (this.#isStopped) return yield encode(endText("the controller stops", true));
      if (this.#monotonicMs() - checkedMs >= checkEachMs) {
        checkedMs = this.#monotonicMs();
        if (!(await isAllowed(stream.request))) return yield encode(endText("the key or the session has ended", false));
      }
      if (event === null || watch.event > event) {
        const next: number = watch.event;
        sentMs = this.#monotonicMs();
        yield* this.#piecesSince(event, stream.withRows);
        event = next;
      } else if (this.#monotonicMs() - sentMs >= heartbeatEachMs) {
        sentMs = this.#monotonicMs();
        yield encode(heartbeatText);
      } else await this.#turn(stream);
    }
  }

  /** Waits until the fleet has been read, or the stream has ended. */
  #turn(stream: Stream): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    stream.wake = resolve;
    return promise;
  }

  *#piecesSince(event: number | null, withRows: boolean): Generator<Uint8Array> {
    const { watch } = this.#parts;
    const key = `${event} ${watch.event} ${withRows}`;
    if (event !== null && this.#shared?.key === key) return yield* this.#shared.pieces;
    const head = { nowMs: watch.lookedAtMs, run: watch.run };
    const known = event === null ? null : watch.changesSince(event);
    // Null: it was forgotten while the client read.
    if (known === null) yield this.#encoder.encode(snapshotText(head, withRows ? watch.agents.size : 0));
    const changes = known ?? (watch.changesSince(0) as FleetChanges);
    const told = withRows ? changes : { ...changes, rows: [], gone: [] };
    const texts = changeTexts(head, watch.event, told);
    if (known === null || told.rows.length > maxSharedRows) {
      for (const text of texts) yield this.#encoder.encode(text);
      return;
    }
    const pieces = [...texts].map((text) => this.#encoder.encode(text));
    this.#shared = { key, pieces };
    yield* pieces;
  }
}

/** Larger changes are written for each client as it reads. */
const maxSharedRows = 2000;
