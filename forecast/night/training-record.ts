import { Type } from "@sinclair/typebox";
import { findOutages, withoutOutages } from "#forecast/data/find-outages.ts";
import { findOrigins, splitByTime, strideFor } from "#forecast/data/sample-windows.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { minForecasts } from "./decide-promotion.ts";

const WindowsOfPart = Type.Object(
  { found: Type.Integer({ minimum: 0 }), needed: Type.Integer({ minimum: 0 }) },
  { additionalProperties: false },
);

/** Complete windows of an hour before and a quarter of an hour after, found and needed for each part of a training. */
export const RecordWindows = Type.Object(
  { train: WindowsOfPart, validation: WindowsOfPart, test: WindowsOfPart },
  { additionalProperties: false },
);
export type RecordWindows = ReadonlyStatic<typeof RecordWindows>;

const texts = (qps: number | null): number | null =>
  qps === null || !(qps >= 0 && qps < Infinity) ? null : Number((qps * 60).toFixed(3));

/**
 * Converts a record to texts per minute, null for a gap. It begins with the first minute that had a request: a device on standby until then
 * learnt nothing of its traffic, and the parts of the rest would be too small.
 */
function usableMinutes(history: readonly MinuteRate[]): { minuteStartMs: number; texts: number | null }[] {
  const minutes = history.map(({ minuteStartMs, qps }) => ({ minuteStartMs, texts: texts(qps) }));
  const first = minutes.findIndex((minute) => (minute.texts ?? 0) > 0);
  const last = minutes.findLastIndex((minute) => minute.texts !== null);
  return first === -1 ? [] : minutes.slice(first, last + 1);
}

/** Renders a record as a trace: a line per minute from the first request on, gaps left out. */
export function renderTrace(history: readonly MinuteRate[]): string {
  const lines = usableMinutes(history).flatMap(({ minuteStartMs, texts }) =>
    texts === null ? [] : [`${new Date(minuteStartMs).toISOString()},${texts}`],
  );
  return `timestamp,value\n${lines.join("\n")}\n`;
}

/** Time of a trace's last line; NaN without one. */
export function traceEndMs(trace: string): number {
  return Date.parse(trace.trimEnd().split("\n").at(-1)?.split(",")[0] ?? "");
}

/** Counts the windows as the trainer does: outages taken out, parts by time. */
export function countWindows(history: readonly MinuteRate[]): RecordWindows {
  const counts = usableMinutes(history).map((minute) => minute.texts);
  const origins = findOrigins(withoutOutages(counts, findOutages(counts)));
  const { train, validation, test } = splitByTime(origins, counts.length);
  const needed = strideFor(counts.length);
  return {
    train: { found: train.length, needed },
    validation: { found: validation.length, needed },
    test: { found: test.length, needed: Math.max(needed, minForecasts) },
  };
}
