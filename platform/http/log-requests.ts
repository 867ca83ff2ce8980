import type { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";

export interface AnsweredRequest {
  readonly requestId: string;
  readonly method: string;
  /** Asked for only when the request is logged. */
  readonly path: () => string;
  readonly durationMs: number;
  readonly response: Response;
  /** Why it failed, where that is known. */
  readonly failure: ServiceError | undefined;
}

/** Under a flood of refusals the log must neither fill the disk nor take the time that the answers need. */
const mostFailuresPerS = 100;

/**
 * Logs each failed request (status 400 and above) with its id and why it failed, the others at `debug`. Of more than a hundred failures a
 * second the rest is counted in the next line.
 * @param nowMs of a clock that only goes forward
 */
export function createRequestLog(log: Logger, nowMs: () => number): (request: AnsweredRequest) => void {
  let secondEndsMs = 0;
  let inSecond = 0;
  let suppressed = 0;
  return ({ requestId, method, path, durationMs, response, failure }) => {
    const { status } = response;
    if (status < 400 && !log.isLevelEnabled("debug")) return;
    // `00-TRACE-SPAN-01`, on the answers of requests that are traced.
    const traceId = response.headers.get("traceresponse")?.split("-")[1];
    const entry = {
      requestId,
      ...(traceId === undefined ? {} : { trace_id: traceId }),
      method,
      path: path().slice(0, 200),
      status,
      durationMs: Math.round(durationMs * 100) / 100,
    };
    if (status < 400) return log.debug(entry, "request");
    const now = nowMs();
    if (now >= secondEndsMs) {
      secondEndsMs = now + 1000;
      inSecond = 0;
    }
    if (inSecond >= mostFailuresPerS) {
      suppressed += 1;
      return;
    }
    inSecond += 1;
    const why = failure === undefined ? {} : { code: failure.code, reason: failure.message.slice(0, 500) };
    const unmentioned = suppressed === 0 ? {} : { suppressed };
    suppressed = 0;
    log[status === 500 ? "error" : "info"]({ ...entry, ...why, ...unmentioned }, "request failed");
  };
}
