import { cleanText } from "#platform/clean-text.ts";
import { redactText } from "#platform/fetch/redact-url.ts";
import type { LogSource } from "./log-source.ts";

/** Line of a log. */
export interface LogLine {
  /** Time in ISO 8601; null: the line tells none. */
  readonly time: string | null;
  readonly level: string;
  readonly msg: string;
  readonly component: string | null;
  /** All other fields, in the order of the line. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Levels of syslog, as the journal has them. */
const priorities = ["error", "error", "error", "error", "warn", "info", "info", "debug"];

function parseObject(text: string): Record<string, unknown> | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

const textOr = <T>(value: unknown, other: T): string | T => (typeof value === "string" ? value : other);

/** Parses what a service wrote: JSON, or a line of something else, such as a crash. */
function parseWritten(text: string, time: string | null, level: string): LogLine {
  const object = parseObject(text);
  if (object === null) return { time, level, msg: text, component: null, fields: {} };
  const { time: own, level: ownLevel, msg, component, ...fields } = object;
  return {
    time: textOr(own, time),
    level: textOr(ownLevel, level),
    msg: textOr(msg, ""),
    component: textOr(component, null),
    fields,
  };
}

/** Message of an entry of the journal, which gives one that is no text as bytes, and one that is too long as null. */
function messageOf(message: unknown): string {
  if (typeof message === "string") return message;
  if (Array.isArray(message)) return new TextDecoder().decode(Uint8Array.from(message.map(Number)));
  return "(a line that is too long for the journal to show)";
}

/** Parses a line of a log; null for one that is empty. */
export function parseLogLine(line: string, kind: LogSource["kind"]): LogLine | null {
  const text = line.trim();
  if (text === "") return null;
  const entry = kind === "journal" ? parseObject(text) : null;
  if (entry === null) return parseWritten(text, null, "info");
  const microseconds = Number(entry["__REALTIME_TIMESTAMP"]);
  const at = new Date(microseconds / 1000);
  const time = microseconds > 0 && !Number.isNaN(at.getTime()) ? at.toISOString() : null;
  return parseWritten(messageOf(entry["MESSAGE"]), time, priorities[Number(entry["PRIORITY"])] ?? "info");
}

const valueToText = (value: unknown): string =>
  typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);

/** Shows a line for people: time in UTC, level, message, fields. */
export function logLineToText({ time, level, msg, component, fields }: LogLine): string {
  const at = (time ?? "").replace("T", " ").padEnd(24);
  const from = component === null ? "" : `${component}: `;
  const rest = Object.entries(fields).map(([name, value]) => `  ${name}=${valueToText(value)}`);
  return cleanText(redactText(`${at} ${level.padEnd(5)} ${from}${msg}${rest.join("")}`), null).trimEnd();
}

/** Shows a line as one of JSON, whatever it was. */
export const logLineToJson = ({ time, level, msg, component, fields }: LogLine): string =>
  redactText(JSON.stringify({ time, level, ...(component === null ? {} : { component }), msg, ...fields }));
