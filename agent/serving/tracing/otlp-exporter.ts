import { describeError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import type { RecordedRequest } from "./encode-spans.ts";

export interface OtlpExporterOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly encode: (requests: readonly RecordedRequest[]) => Uint8Array<ArrayBuffer>;
  /** Time for which requests wait to be sent together. */
  readonly periodMs: number;
  readonly log: Logger;
}

/** Maximum number of requests in one export: encoding them takes the thread for about a millisecond. */
const maxRequestsAtOnce = 128;
/** Maximum number of requests that wait to be sent; more are dropped. */
const maxWaitingRequests = 2_048;
const exportTimeoutMs = 5_000;
/** Maximum size of a collector's answer, which is ignored: a few bytes of protobuf or an error. */
const maxAnswerBytes = 64 * 1024;
/** Status codes after which the same export may be sent again, by OTLP's specification. */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

type Outcome = { readonly kind: "sent" } | { readonly kind: "refused" | "away"; readonly reason: string };

/**
 * Sends requests' spans to a collector, some at a time and one export after the other. While the collector is unreachable they wait, up to a
 * bound; the log has one line about it and one about its return.
 */
export class OtlpExporter {
  readonly #options: OtlpExporterOptions;
  readonly #stopped = new AbortController();
  #waiting: RecordedRequest[] = [];
  #lostRequests = 0;
  #failing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #exporting: Promise<void> | undefined;

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
  }

  /** Keeps a request until it is sent. Never waits and never throws. */
  add(request: RecordedRequest): void {
    if (this.#waiting.length >= maxWaitingRequests) {
      this.#lostRequests += 1;
      return;
    }
    this.#waiting.push(request);
    if (this.#waiting.length === maxRequestsAtOnce && !this.#failing) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#schedule();
  }

  /** Sends the remaining requests, for up to `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const overdue = setTimeout(() => this.#stopped.abort(new Error("the agent stops")), graceMs);
    await this.#exporting;
    clearTimeout(this.#timer);
    while (this.#waiting.length > 0 && !this.#stopped.signal.aborted) {
      await this.#exportSome();
      if (this.#failing) break;
    }
    clearTimeout(overdue);
    this.#stopped.abort();
  }

  #schedule(): void {
    const isScheduled = this.#timer !== undefined || this.#exporting !== undefined;
    if (isScheduled || this.#waiting.length === 0 || this.#stopped.signal.aborted) return;
    const isFull = this.#waiting.length >= maxRequestsAtOnce && !this.#failing;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#exporting = this.#exportSome().finally(() => {
          this.#exporting = undefined;
          this.#schedule();
        });
      },
      isFull ? 0 : this.#options.periodMs,
    );
  }

  async #exportSome(): Promise<void> {
    const requests = this.#waiting.splice(0, maxRequestsAtOnce);
    const outcome = await this.#send(requests);
    if (outcome.kind === "refused") this.#lostRequests += requests.length;
    if (outcome.kind === "away") {
      const free = Math.max(0, maxWaitingRequests - this.#waiting.length);
      this.#waiting = [...requests.slice(0, free), ...this.#waiting];
      this.#lostRequests += Math.max(0, requests.length - free);
    }
    this.#note(outcome);
  }

  async #send(requests: readonly RecordedRequest[]): Promise<Outcome> {
    const { url, headers, encode } = this.#options;
    let body: Uint8Array<ArrayBuffer>;
    try {
      body = encode(requests);
    } catch (error) {
      return { kind: "refused", reason: describeError(error) };
    }
    try {
      const response = await fetchBounded(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/x-protobuf" },
        body,
        timeoutMs: exportTimeoutMs,
        maxBytes: maxAnswerBytes,
        signal: this.#stopped.signal,
      });
      if (response.ok) return { kind: "sent" };
      const reason = `the collector answered ${response.status}`;
      return { kind: retryable.has(response.status) ? "away" : "refused", reason };
    } catch (error) {
      return { kind: "away", reason: describeError(error) };
    }
  }

  #note(outcome: Outcome): void {
    const { log } = this.#options;
    const url = redactUrl(this.#options.url);
    if (outcome.kind === "sent") {
      if (this.#failing) log.info({ url, lostRequests: this.#lostRequests }, "traces are sent again");
      this.#failing = false;
      this.#lostRequests = 0;
      return;
    }
    if (!this.#failing) log.warn({ url, err: outcome.reason }, "traces can't be sent; requests are answered anyway");
    this.#failing = true;
  }
}
