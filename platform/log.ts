import pino from "pino";
import { cleanOutput } from "./clean-text.ts";
import { redactText } from "./fetch/redact-url.ts";
import { currentTrace } from "./request-trace.ts";
import { minuteMs } from "./time.ts";

export type Logger = pino.Logger;

export const logLevels = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What is logged for a request that is traced can be found from its trace, and the other way round. */
function traceIds(): Record<string, string> {
  const trace = currentTrace();
  return trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId };
}

/**
 * The last line of defence: no address with its password and no token is written, whoever logs it, and nothing that could steer a terminal, which in JSON
 * is escaped without loss.
 */
function cleaned(destination: pino.DestinationStream): pino.DestinationStream {
  return { write: (line) => destination.write(cleanOutput(redactText(line))) };
}

/** JSON lines on standard error, one object a line: `time` (ISO 8601), `level`, `component`, `msg`, and the figures it rests on. */
export function createLogger(component: string, level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { component },
      mixin: traceIds,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    cleaned(pino.destination({ dest: 2, sync: true })),
  );
}

export interface CountedLog {
  /** Counts an event of this kind; logs the first at once and then at most one line a minute with the count since. */
  note(kind: string, details: Record<string, unknown>): void;
}

/** For what may happen thousands of times (malformed messages, refused connections) and must neither hide nor flood. */
export function createCountedLog(log: Logger, nowMs: () => number, periodMs = minuteMs): CountedLog {
  const kinds = new Map<string, { lastLoggedMs: number; sinceLogged: number }>();
  return {
    note(kind, details) {
      const entry = kinds.get(kind);
      const now = nowMs();
      if (entry !== undefined && now - entry.lastLoggedMs < periodMs) {
        entry.sinceLogged += 1;
        return;
      }
      log.warn({ ...details, suppressed: entry?.sinceLogged ?? 0 }, kind);
      kinds.set(kind, { lastLoggedMs: now, sinceLogged: 0 });
    },
  };
}
