import { signal } from "@preact/signals";
import { formatTime, type TimeStyle } from "./format.ts";

/** True: times are shown in UTC, not in the browser's zone. */
export const inUtc = signal(false);

/** Difference between the server's clock and this page's timer, as the newest answer told; null: no answer yet. */
const serverOffsetMs = signal<number | null>(null);

/** Takes note of the server's clock as an answer arrives. Ages are counted by it, however wrong the browser's clock is. */
export function noteServerTime(nowMs: number): void {
  serverOffsetMs.value = nowMs - performance.now();
}

/** Present time by the server's clock; by the browser's before the first answer. */
export const serverNowMs = (): number =>
  serverOffsetMs.value === null ? Date.now() : serverOffsetMs.value + performance.now();

/** Amount by which the browser's clock is ahead of the server's; 0 before the first answer. */
export const browserSkewMs = (): number => Date.now() - serverNowMs();

/** Writes a time in the zone that the user has chosen. */
export const timeText = (atMs: number | null | undefined, style: TimeStyle): string =>
  formatTime(atMs, style, inUtc.value ? "UTC" : undefined);
