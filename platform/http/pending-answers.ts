import { ServiceError } from "#platform/errors.ts";

/** Answers that are being sent, bounded together: a client that reads slowly, or not at all, keeps what it is to get in memory. */
export interface PendingAnswers {
  /**
   * Sends an answer piece by piece, each made when the client has taken the one before.
   * @param bytes memory that what the pieces are made from takes
   * @throws ServiceError TOO_MANY_REQUESTS when other answers take all memory and their clients are reading
   */
  stream(bytes: number, headers: Readonly<Record<string, string>>, pieces: Iterator<string>): Response;
  usedBytes(): number;
  /** Answers that were cut off because their client had stopped reading. */
  cutOff(): number;
}

interface Answer {
  readonly bytes: number;
  lastTakenMs: number;
  cut(): void;
}

/** A client that has taken nothing for so long makes room for others; it is not cut off while there is room. */
const stalledMs = 2_000;
const retryAfterS = 2;

/** @param nowMs of a clock that only goes forward */
export function createPendingAnswers(maxBytes: number, nowMs: () => number = () => performance.now()): PendingAnswers {
  const pending = new Set<Answer>();
  const encoder = new TextEncoder();
  let used = 0;
  let cutOff = 0;

  const makeRoom = (bytes: number): boolean => {
    const stalled = [...pending]
      .filter(({ lastTakenMs }) => nowMs() - lastTakenMs >= stalledMs)
      .sort((a, b) => a.lastTakenMs - b.lastTakenMs);
    for (const answer of stalled) {
      if (used + bytes <= maxBytes) break;
      cutOff += 1;
      answer.cut();
    }
    // One answer larger than everything is sent alone.
    return used + bytes <= maxBytes || pending.size === 0;
  };

  return {
    stream(bytes, headers, pieces) {
      if (used + bytes > maxBytes && !makeRoom(bytes)) {
        throw new ServiceError(
          "TOO_MANY_REQUESTS",
          "answers that other clients have yet to read use all the memory there is for them",
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
      return new Response(body, { headers: { ...headers } });
    },
    usedBytes: () => used,
    cutOff: () => cutOff,
  };
}

/** Of this process: however many routes and servers it has, their answers share one memory. */
export const pendingAnswers = createPendingAnswers(16 * 1024 * 1024);
