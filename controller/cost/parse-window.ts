import { dayMs, hourMs, minuteMs } from "#platform/time.ts";

export interface TimeWindow {
  readonly startMs: number;
  readonly endMs: number;
}

const unitMs: Readonly<Record<string, number>> = { m: minuteMs, h: hourMs, d: dayMs, w: 7 * dayMs };

/** Parses "15m", "24h", "7d", "2w" (up to now) or "startMs,endMs" (ms since the epoch); null for other texts and empty windows. */
export function parseWindow(text: string, nowMs: number): TimeWindow | null {
  const span = /^(\d{1,6})([mhdw])$/.exec(text);
  if (span !== null) {
    const lengthMs = Number(span[1]) * (unitMs[span[2] as string] as number);
    // mutate: equivalent because lengths are whole minutes
    return lengthMs > 0 ? { startMs: nowMs - lengthMs, endMs: nowMs } : null;
  }
  const pair = /^(\d{1,16}),(\d{1,16})$/.exec(text);
  if (pair === null) return null;
  const window = { startMs: Number(pair[1]), endMs: Number(pair[2]) };
  return window.startMs < window.endMs ? window : null;
}
