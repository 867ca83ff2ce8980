import type { Calendar } from "#forecast/data/calendar.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import type { RegionTariff } from "#protocol/messages.ts";
import { isWithin, parseWindow } from "./decide-night-training.ts";
import type { HourPrices } from "./hour-prices.ts";
import type { NightTrainingConfig } from "./night-training-config.ts";

/** Time between the longest training and the end of the window, in which the new model is judged. */
const reserveMs = 15 * minuteMs;
/** Minutes of the longest day, when clocks are set back. */
const maxWindowMinutes = 25 * 60;

export function minuteOfDayBy(calendar: Calendar, timeMs: number): number {
  return Math.floor(calendar(timeMs).hour * 60 + 1e-6);
}

/** First minute after the window that a time lies in; one of a whole day ends when the next begins. */
function endOfWindow(bounds: ReturnType<typeof parseWindow>, nowMs: number, calendar: Calendar): number {
  const firstMs = (Math.floor(nowMs / minuteMs) + 1) * minuteMs;
  for (let minute = 0; minute < maxWindowMinutes; minute += 1) {
    const timeMs = firstMs + minute * minuteMs;
    const minuteOfDay = minuteOfDayBy(calendar, timeMs);
    const isNextDay = bounds.from === bounds.to && minuteOfDay === bounds.from;
    if (isNextDay || !isWithin(bounds, minuteOfDay)) return timeMs;
  }
  return firstMs + maxWindowMinutes * minuteMs;
}

/** Mean price of the time from `startMs` on; null where a part of it has no known price. */
function meanPrice({ fromMs, usdPerKwh }: RegionTariff, startMs: number, lastsMs: number): number | null {
  const endMs = startMs + lastsMs;
  if (startMs < fromMs || endMs > fromMs + usdPerKwh.length * hourMs) return null;
  let sum = 0;
  for (const [index, usd] of usdPerKwh.entries()) {
    const hourStartMs = fromMs + index * hourMs;
    sum += usd * Math.max(0, Math.min(endMs, hourStartMs + hourMs) - Math.max(startMs, hourStartMs));
  }
  return sum / lastsMs;
}

/**
 * Compares what electricity costs a training that starts now and at the cheapest later hour of the same window; the longest training still
 * fits in there. Null outside the window, or where the present price is unknown.
 */
export function compareHours(
  tariff: RegionTariff | null,
  { window, maxMinutes }: Pick<NightTrainingConfig, "window" | "maxMinutes">,
  nowMs: number,
  calendar: Calendar,
): HourPrices | null {
  const bounds = parseWindow(window);
  if (tariff === null || !isWithin(bounds, minuteOfDayBy(calendar, nowMs))) return null;
  const lastsMs = maxMinutes * minuteMs;
  const nowUsdPerKwh = meanPrice(tariff, nowMs, lastsMs);
  if (nowUsdPerKwh === null) return null;
  const latestMs = endOfWindow(bounds, nowMs, calendar) - lastsMs - reserveMs;
  let later: HourPrices["later"] = null;
  for (const index of tariff.usdPerKwh.keys()) {
    const startMs = tariff.fromMs + index * hourMs;
    if (startMs <= nowMs || startMs > latestMs) continue;
    const usdPerKwh = meanPrice(tariff, startMs, lastsMs);
    if (usdPerKwh !== null && (later === null || usdPerKwh < later.usdPerKwh)) later = { startMs, usdPerKwh };
  }
  return { nowUsdPerKwh, later };
}
