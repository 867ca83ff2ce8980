import { type Static, Type } from "@sinclair/typebox";
import { explainWindowFault } from "#controller/cost/window/explain-window.ts";
import { parseWindow } from "#controller/cost/window/parse-window.ts";
import { parseTime } from "#platform/parse-time.ts";
import { strictObject } from "#platform/schema-parts.ts";
import { hourMs } from "#platform/time.ts";

export const WindowInput = strictObject({
  window: Type.String({ maxLength: 128, description: "as in ?window=, for example 7d, lastmonth, 24h offset 14h" }),
  nowUtc: Type.String({ maxLength: 40, description: "the present, for example 2026-11-30T12:00:00Z" }),
  utcOffset: Type.String({
    ...{
      maxLength: 64,
      default: "",
      description: "time zone of named days, weeks and months: UTC, ±HH:MM or an IANA name",
    },
  }),
});
type WindowInput = Static<typeof WindowInput>;

/** Lists what the schema can't express. */
export function checkWindowInput({ nowUtc }: WindowInput): string[] {
  return parseTime(nowUtc) === null ? [`nowUtc: expected a time such as 2026-11-30T12:00:00Z, got "${nowUtc}"`] : [];
}

/** Time in ISO 8601, with milliseconds only where there are some. */
const isoOf = (timeMs: number) => new Date(timeMs).toISOString().replace(".000Z", "Z");

/** Answers which time a window is. */
export function answerWindow({ window: text, nowUtc, utcOffset }: WindowInput) {
  const window = parseWindow(text, parseTime(nowUtc) as number, utcOffset);
  if ("expected" in window)
    return { error: true, reason: explainWindowFault(window, window.field === "window" ? text : utcOffset) };
  const hours = (window.endMs - window.startMs) / hourMs;
  return { start: isoOf(window.startMs), end: isoOf(window.endMs), hours, reason: lengthToText(hours) };
}

function lengthToText(hours: number): string {
  if (hours === 0) return "empty: a query for it returns no rows";
  return hours < 0
    ? "it ends before it starts: a query with it is refused"
    : `${Math.round(hours * 1000) / 1000} hours`;
}
