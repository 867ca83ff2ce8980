import { attemptMs } from "./attempt-rules.ts";
import type { Backends } from "./backends.ts";
import { type Attempt, type Journey, outrun, silent, silentReply } from "./journey.ts";
import type { Remote } from "./remote.ts";
import type { RemoteClient } from "./remote-client.ts";

/** Requests to others at once: Bun's limit for a process is 256. */
const maxInFlight = 240;
/** Models whose length of vectors is remembered. */
const maxDimensions = 256;

export interface AttemptParts {
  readonly backends: Backends;
  readonly client: Pick<RemoteClient, "ask">;
}

/** Attempts at backends outside this agent. */
export class Attempts {
  readonly #parts: AttemptParts;
  readonly #takeRetry: () => boolean;
  #inFlight = 0;
  /** Numbers of the vectors that peers answered, by model. */
  readonly #dimensions = new Map<string, number>();

  /** @param takeRetry takes an attempt from the budget of retries; false: there is none left */
  constructor(parts: AttemptParts, takeRetry: () => boolean) {
    this.#parts = parts;
    this.#takeRetry = takeRetry;
  }

  inFlight(): number {
    return this.#inFlight;
  }

  /** True while another attempt may begin. */
  mayStart(): boolean {
    return this.#inFlight < maxInFlight;
  }

  /** Remembers the length of a peer's vectors: its fingerprint was right, so its length is. */
  learnDimension(model: string, dimension: number): void {
    if (this.#dimensions.size < maxDimensions) this.#dimensions.set(model, dimension);
  }

  /** Begins an attempt at a remote. `cancel` gives it up. */
  start(journey: Journey, remote: Remote, waitMs: number | null): Attempt {
    const { backends, client } = this.#parts;
    const { routed, request } = journey;
    journey.tried.push(remote.id);
    const leftMs = Math.max(1, journey.deadlineMs - performance.now());
    const othersLeft = journey.remotes.some(({ id }) => !journey.tried.includes(id));
    const patienceMs = attemptMs(leftMs, backends.usualMs(remote, routed), othersLeft);
    const given = new AbortController();
    const onDisconnect = () => given.abort(request.signal.reason);
    request.signal.addEventListener("abort", onDisconnect, { once: true });
    if (request.signal.aborted) onDisconnect();
    // Given up only for an attempt elsewhere that may be made: where all are slow at once, as on a busy machine, giving up helps nobody.
    const giveUp = () => {
      if (!this.#takeRetry()) return;
      journey.isRetryTaken = true;
      given.abort(silent);
    };
    const patience = patienceMs < leftMs ? setInterval(giveUp, patienceMs) : undefined;
    const startedMs = performance.now();
    backends.begin(remote, routed);
    this.#inFlight += 1;
    const reply = client
      .ask(
        remote,
        request,
        {
          space: routed.space,
          dimension: this.#dimensionOf(journey, remote),
          budgetMs: leftMs,
          hopMs: backends.hopMs(remote),
          maxWaitMs: waitMs,
        },
        given.signal,
      )
      .then(
        (answer) => {
          const { outcome, load, tookMs = null } = answer;
          backends.end(remote, routed, { outcome, load, tookMs, ms: performance.now() - startedMs });
          return answer.result === null ? answer : { ...answer, result: { ...answer.result, servedBy: remote.id } };
        },
        (error) => {
          const ms = performance.now() - startedMs;
          if (error === outrun) backends.end(remote, routed, { outcome: "outrun", load: null, ms });
          else if (error === silent) {
            backends.end(remote, routed, { outcome: "silent", load: null, ms });
            return silentReply(remote.id, ms);
          } else backends.abandon(remote, routed);
          throw error;
        },
      )
      .finally(() => {
        this.#inFlight -= 1;
        clearInterval(patience);
        request.signal.removeEventListener("abort", onDisconnect);
      });
    // A hedge that lost is given up: nobody waits for it.
    reply.catch(() => undefined);
    return { reply, cancel: (reason) => given.abort(reason) };
  }

  /** Expected length of vectors, from this agent's model or, for an offer, from peers' answers. */
  #dimensionOf({ home, routed }: Journey, { kind }: Remote): number | null {
    return home?.dimension ?? (kind === "offer" ? this.#dimensions.get(routed.model) : null) ?? null;
  }
}
