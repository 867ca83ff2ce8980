import { ServiceError } from "#platform/errors.ts";
import { minuteMs } from "#platform/time.ts";

/** Limit of the memory of answers that are being sent: a client that reads slowly, or not at all, keeps its answer in memory. */
export interface PendingAnswers {
  /**
   * Sends an answer piece by piece, each made when the client has read the one before.
   * @param bytes memory of the source that the pieces are made from
   * @throws ServiceError TOO_MANY_REQUESTS when other answers use all memory and their clients are reading
   */
  stream(bytes: number, headers: Readonly<Record<string, string>>, pieces: Iterator<string>): Response;
  usedBytes(): number;
  /** Number of answers that were cut off because their client had stopped reading. */
  cutOff(): number;
  /** Cuts off answers of which nothing was read for a minute. */
  sweep(): void;
}

interface Answer {
  readonly bytes: number;
  lastTakenMs: number;
  /** Closes the connection. */
  close?: () => void;
  cut(): void;
}

/** Time without reading after which an answer is cut off when others need its memory. */
const stalledMs = 2_000;
/** Time without reading after which it is cut off in any case: as long as a client has to send a request. */
const abandonedMs = minuteMs;
const sweepPeriodMs = 5_000;
const retryAfterS = 2;

const answersOf = new WeakMap<Response, Answer>();

/**
 * Has the connection closed when the answer is cut off: its end alone would wait, like the rest, for a client that does not read.
 * @param response one that was made by {@link PendingAnswers.stream}; others are never cut off
 */
export function closeWhenCutOff(response: Response, close: () => void): void {
  const answer = answersOf.get(response);
  if (answer !== undefined) answer.close = close;
}

/** @param nowMs monotonic clock */
export function createPendingAnswers(maxBytes: number, nowMs: () => number = () => performance.now()): PendingAnswers {
  const pending = new Set<Answer>();
  const encoder = new TextEncoder();
  let used = 0;
  let cutOff = 0;

  const cut = (answer: Answer) => {
    cutOff += 1;
    answer.cut();
    answer.close?.();
  };
  const sweep = () => {
    for (const answer of pending) if (nowMs() - answer.lastTakenMs >= abandonedMs) cut(answer);
    if (pending.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  let timer: ReturnType<typeof setInterval> | undefined;

  const freeMemory = (bytes: number): boolean => {
    const stalled = [...pending]
      .filter(({ lastTakenMs }) => nowMs() - lastTakenMs >= stalledMs)
      .sort((a, b) => a.lastTakenMs - b.lastTakenMs);
    for (const answer of stalled) {
      if (used + bytes <= maxBytes) break;
      cut(answer);
    }
    // An answer larger than the limit is sent when it is the only one.
    return used + bytes <= maxBytes || pending.size === 0;
  };

  return {
    stream(bytes, headers, pieces) {
      if (used + bytes > maxBytes && !freeMemory(bytes)) {
        throw new ServiceError(
          "TOO_MANY_REQUESTS",
          "answers that other clients have not read yet use all the memory for answers",
          {
            retryAfterS,
          },
        );
      }
      let source: Iterator<string> | undefined = pieces;
      let fail = (_reason: Error) => {};
      const forget = () => {
        if (!pending.delete(answer)) return;
        used -= bytes;
        source = undefined;
      };
      const answer: Answer = {
        bytes,
        lastTakenMs: nowMs(),
        cut() {
          forget();
          fail(new Error("the client stopped reading"));
        },
      };
      pending.add(answer);
      used += bytes;
      timer ??= setInterval(sweep, sweepPeriodMs).unref();
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          fail = (reason) => controller.error(reason);
        },
        pull(controller) {
          answer.lastTakenMs = nowMs();
          const next = source?.next();
          if (next === undefined || next.done === true) {
            forget();
            controller.close();
          } else controller.enqueue(encoder.encode(next.value));
        },
        cancel: forget,
      });
      const response = new Response(body, { headers: { ...headers } });
      answersOf.set(response, answer);
      return response;
    },
    usedBytes: () => used,
    cutOff: () => cutOff,
    sweep,
  };
}

/** Limit of this process: all its routes and servers share it. */
export const pendingAnswers = createPendingAnswers(16 * 1024 * 1024);
