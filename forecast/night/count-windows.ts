import { findOutages, withoutOutages } from "#forecast/data/find-outages.ts";
import { findOrigins, splitByTime, strideFor } from "#forecast/data/sample-windows.ts";
import type { MinuteRate } from "#forecast/forecaster.ts";
import { minForecasts } from "./decide-promotion.ts";

/** Complete windows of an hour before and a quarter of an hour after, and how many it takes. */
export interface WindowsOfPart {
  readonly found: number;
  readonly needed: number;
}

/** What a record has for each part of a training. */
export interface RecordWindows {
  readonly train: WindowsOfPart;
  readonly validation: WindowsOfPart;
  readonly test: WindowsOfPart;
}

const texts = (qps: number | null): number | null =>
  qps === null || !(qps >= 0 && qps < Infinity) ? null : Number((qps * 60).toFixed(3));

/**
 * A record as texts a minute, null for a gap. It begins with the first minute that was asked for anything: a device that stood by until
 * then learnt nothing of its traffic, and the parts of the rest would be too small.
 */
export function usableMinutes(history: readonly MinuteRate[]): { minuteStartMs: number; texts: number | null }[] {
  const minutes = history.map(({ minuteStartMs, qps }) => ({ minuteStartMs, texts: texts(qps) }));
  const first = minutes.findIndex((minute) => (minute.texts ?? 0) > 0);
  const last = minutes.findLastIndex((minute) => minute.texts !== null);
  return first === -1 ? [] : minutes.slice(first, last + 1);
}

/** Counts as the trainer does with the same record: outages taken out, parts by time. One that can't be judged is not worth training. */
export function countWindows(history: readonly MinuteRate[]): RecordWindows {
  const counts = usableMinutes(history).map((minute) => minute.texts);
  const { train, validation, test } = splitByTime(
    findOrigins(withoutOutages(counts, findOutages(counts))),
    counts.length,
  );
  const needed = strideFor(counts.length);
  return {
    train: { found: train.length, needed },
    validation: { found: validation.length, needed },
    test: { found: test.length, needed: Math.max(needed, minForecasts) },
  };
}
