import type { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";

interface AnsweredRequest {
  readonly requestId: string;
  readonly method: string;
  /** Called only when the request is logged. */
  readonly path: () => string;
  readonly durationMs: number;
  readonly response: Response;
  /** Error of a failed request, if known. */
  readonly failure: ServiceError | undefined;
}

/** Limit of log lines, so that a flood of refusals neither fills the disk nor slows answers down. */
const maxFailuresPerS = 100;

/**
 * Logs each failed request (status 400 and above) with its id and reason, the others at `debug`. Failures beyond a hundred a second are counted in
 * the next line.
 * @param nowMs monotonic clock
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
    if (inSecond >= maxFailuresPerS) {
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
