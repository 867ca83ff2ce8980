import { describeError } from "#platform/errors.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { redactUrl } from "#platform/fetch/redact-url.ts";
import type { Logger } from "#platform/log.ts";
import type { RecordedRequest } from "./encode-spans.ts";

export interface OtlpExporter {
  /** Keeps a request until it is sent; never waits, and never fails. */
  add(request: RecordedRequest): void;
  /** Sends what is left, for up to `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export interface OtlpExporterOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly encode: (requests: readonly RecordedRequest[]) => Uint8Array<ArrayBuffer>;
  /** How long requests wait to be sent together. */
  readonly periodMs: number;
  readonly log: Logger;
}

/** Of one export: encoding them takes the thread for about a millisecond. */
const maxRequestsAtOnce = 128;
/** That wait to be sent; more are lost rather than kept. */
const maxWaitingRequests = 2_048;
const exportTimeoutMs = 5_000;
/** Bound on a collector's answer, which is passed over: a few bytes of protobuf, or why not. */
const maxAnswerBytes = 64 * 1024;
/** Answers after which the same may be sent again, by OTLP's specification. */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

type Outcome = { readonly kind: "sent" } | { readonly kind: "refused" | "away"; readonly reason: string };

/**
 * Sends requests' spans to a collector, some at a time and one export after the other. While the collector is away they wait, up to a bound, and the
 * log has one line of it and one of its return.
 */
export function createOtlpExporter(options: OtlpExporterOptions): OtlpExporter {
  const { url, headers, encode, periodMs, log } = options;
  let waiting: RecordedRequest[] = [];
  let lostRequests = 0;
  let failing = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let exporting: Promise<void> | undefined;
  const stopped = new AbortController();

  const send = async (requests: readonly RecordedRequest[]): Promise<Outcome> => {
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
        signal: stopped.signal,
      });
      if (response.ok) return { kind: "sent" };
      const reason = `the collector answered ${response.status}`;
      return { kind: retryable.has(response.status) ? "away" : "refused", reason };
    } catch (error) {
      return { kind: "away", reason: describeError(error) };
    }
  };

  const note = (outcome: Outcome) => {
    if (outcome.kind === "sent") {
      if (failing) log.info({ url: redactUrl(url), lostRequests }, "traces are sent again");
      failing = false;
      lostRequests = 0;
      return;
    }
    if (!failing)
      log.warn(
        { url: redactUrl(url), err: outcome.reason },
        "traces can't be sent; requests are answered all the same",
      );
    failing = true;
  };

  const exportSome = async () => {
    const requests = waiting.splice(0, maxRequestsAtOnce);
    const outcome = await send(requests);
    if (outcome.kind === "refused") lostRequests += requests.length;
    if (outcome.kind === "away") {
      const room = Math.max(0, maxWaitingRequests - waiting.length);
      waiting = [...requests.slice(0, room), ...waiting];
      lostRequests += Math.max(0, requests.length - room);
    }
    note(outcome);
  };

  const schedule = () => {
    if (timer !== undefined || exporting !== undefined || waiting.length === 0 || stopped.signal.aborted) return;
    const full = waiting.length >= maxRequestsAtOnce && !failing;
    timer = setTimeout(
      () => {
        timer = undefined;
        exporting = exportSome().finally(() => {
          exporting = undefined;
          schedule();
        });
      },
      full ? 0 : periodMs,
    );
  };

  return {
    add(request) {
      if (waiting.length >= maxWaitingRequests) {
        lostRequests += 1;
        return;
      }
      waiting.push(request);
      if (waiting.length === maxRequestsAtOnce && !failing) {
        clearTimeout(timer);
        timer = undefined;
      }
      schedule();
    },
    async stop(graceMs) {
      const overdue = setTimeout(() => stopped.abort(new Error("the agent stops")), graceMs);
      await exporting;
      clearTimeout(timer);
      while (waiting.length > 0 && !stopped.signal.aborted) {
        await exportSome();
        if (failing) break;
      }
      clearTimeout(overdue);
      stopped.abort();
    },
  };
}
