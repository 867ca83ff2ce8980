import pino from "pino";
import { cleanOutput } from "./clean-text.ts";
import { redactText } from "./fetch/redact-url.ts";
import { currentTrace } from "./request-trace.ts";
import { restoreStack } from "./terminal/stack-map.ts";
import { minuteMs } from "./time.ts";

export type Logger = pino.Logger;

export const logLevels = ["silent", "error", "warn", "info", "debug"] as const;
type LogLevel = (typeof logLevels)[number];

/** Fields that link a log line to the trace of its request. */
function traceIds(): Record<string, string> {
  const trace = currentTrace();
  return trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId };
}

/**
 * Removes passwords and tokens from every line, as a last line of defence, and escapes characters that act on a terminal (lossless in JSON).
 */
function cleaned(destination: pino.DestinationStream): pino.DestinationStream {
  return {
    write(line) {
      const text = cleanOutput(redactText(line));
      newest.push(text);
      if (newest.length > eventsKept) newest.shift();
      destination.write(text);
    },
  };
}

/** Lines of a log that people are shown beside the state. */
const eventsKept = 20;
const newest: string[] = [];

/** Line of the log, without the event's fields. */
export interface LogEvent {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
}

/** Lists the newest lines that this process logged, oldest first. */
export const newestEvents = (): LogEvent[] =>
  newest.map((line) => {
    const { time, level, msg } = JSON.parse(line) as LogEvent;
    return { time, level, msg };
  });

/** An error with its kind, message and stack, which names our files in the compiled executable, too. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const serialized = pino.stdSerializers.err(error);
  // The name, as names of classes are lost in the compiled executable.
  return { ...serialized, type: error.name, stack: restoreStack(serialized.stack) };
}

/** Creates a logger of JSON lines on standard error: `time` (ISO 8601), `level`, `component`, `msg` and the event's fields. */
export function createLogger(component: string, level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { component },
      mixin: traceIds,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
      formatters: { level: (label) => ({ level: label }) },
    },
    cleaned(pino.destination({ dest: 2, sync: true })),
  );
}

export interface CountedLog {
  /** Counts an event of this kind; logs the first at once and then at most one line per period, with the count of the rest. */
  note(kind: string, details: Record<string, unknown>): void;
}

/** Creates a log for events that may come by the thousand, such as malformed messages or refused connections. */
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
