import type { MinuteRate } from "#forecast/forecaster.ts";
import { minuteMs } from "#platform/time.ts";
import type { MinuteStore } from "../../store/store.ts";

/** A week, for the seasonal forecasts. */
export const keptMinutes = 7 * 24 * 60;

export type FleetTraffic = ReturnType<typeof createFleetTraffic>;

/** Texts of the whole fleet by minute, for a forecast of the fleet as a whole. */
export function createFleetTraffic() {
  const textsByMinute = new Map<number, number>();
  return {
    /** False while the newest week is still being read from the store. */
    isWhole: true,
    /** Sets the texts of a minute, as the store has them. */
    put(minuteStartMs: number, texts: number): void {
      textsByMinute.set(minuteStartMs, texts);
    },
    add(minuteStartMs: number, texts: number): void {
      const startMs = Math.floor(minuteStartMs / minuteMs) * minuteMs;
      textsByMinute.set(startMs, (textsByMinute.get(startMs) ?? 0) + texts);
    },
    /**
     * Returns one rate a minute from the first known minute, at most a week back, up to and including the one that starts at
     * `lastMinuteStartMs`; null where no agent has a record.
     */
    history(lastMinuteStartMs: number): MinuteRate[] {
      const oldestMs = lastMinuteStartMs - (keptMinutes - 1) * minuteMs;
      const firstMs = Math.min(...[...textsByMinute.keys()].filter((startMs) => startMs >= oldestMs));
      const rates: MinuteRate[] = [];
      for (let startMs = firstMs; startMs <= lastMinuteStartMs; startMs += minuteMs) {
        const texts = textsByMinute.get(startMs);
        rates.push({ minuteStartMs: startMs, qps: texts === undefined ? null : texts / 60 });
      }
      return rates;
    },
    /** Texts of the known minutes that start in [startMs, endMs), oldest first. */
    between(startMs: number, endMs: number): { readonly minuteStartMs: number; readonly texts: number }[] {
      const minutes: { minuteStartMs: number; texts: number }[] = [];
      for (const [minuteStartMs, texts] of textsByMinute)
        if (minuteStartMs >= startMs && minuteStartMs < endMs) minutes.push({ minuteStartMs, texts });
      return minutes.sort((a, b) => a.minuteStartMs - b.minuteStartMs);
    },
    /** Forgets minutes of more than a week before `nowMs`. */
    prune(nowMs: number): void {
      for (const startMs of textsByMinute.keys()) {
        if (startMs < nowMs - keptMinutes * minuteMs) textsByMinute.delete(startMs);
      }
    },
  };
}

/**
 * Store that tells the fleet's newest week from memory: of ten thousand agents an hour is 600,000 rows to add up, and every open page asks for
 * some hours again and again.
 */
export function withRecentMinutes<S extends Pick<MinuteStore, "fleetMinutes">>(
  store: S,
  traffic: Pick<FleetTraffic, "between" | "isWhole">,
  nowMs: () => number,
): S {
  return {
    ...store,
    fleetMinutes: async (startMs: number, endMs: number) =>
      !traffic.isWhole || startMs < nowMs() - (keptMinutes - 1) * minuteMs
        ? store.fleetMinutes(startMs, endMs)
        : traffic.between(startMs, endMs),
  };
}
