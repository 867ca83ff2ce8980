import { Gauge, type Registry } from "prom-client";
import { dayMs } from "#platform/time.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";

/** Times over which figures are shown. */
export const accuracyWindows = { "24h": dayMs, "7d": 7 * dayMs, "30d": 30 * dayMs } as const;
export type AccuracyWindow = keyof typeof accuracyWindows;
/** Time for which the outcomes of forecasts are kept at least. */
export const longestAccuracyMs = Math.max(...Object.values(accuracyWindows));
/** Windows shown as metrics: summing up a month takes 0.1 s, too long for every scrape. */
const shownWindows: readonly AccuracyWindow[] = ["24h", "7d"];

type Figure = {
  [Key in keyof ForecastAccuracy]: ForecastAccuracy[Key] extends number | null ? Key : never;
}[keyof ForecastAccuracy];

const gauges: readonly (readonly [suffix: string, figure: Figure, help: string, factor: number])[] = [
  ["scored", "forecasts", "Forecasts compared with the actual traffic", 1],
  ["wape_ratio", "wapePercent", "Sum of absolute forecast errors divided by the sum of the actual traffic", 0.01],
  ["bias_ratio", "biasPercent", "The same with signed errors: positive if the forecast was too high", 0.01],
  ["peak_wape_ratio", "peakWapePercent", "The same error for the highest minute of each forecast", 0.01],
  ["coverage_ratio", "coverage95", "Share of peaks within their 0.95 quantile", 1],
  ["rises", "rises", "Rises of traffic that called for more capacity", 1],
  ["rise_hits", "hits", "Rises that were forecast before they began", 1],
  ["rise_misses", "misses", "Rises that were not forecast before they began", 1],
  ["false_alarms", "falseAlarms", "Rises that were forecast but did not happen", 1],
  ["rise_lead_seconds", "medianLeadMinutes", "Median time from the first warning to the rise", 60],
];

/**
 * Registers gauges of the live accuracy, by window; a figure that is null has no sample.
 * @param prefix of their names.
 */
export function registerAccuracyMetrics(
  metrics: Registry,
  prefix: "thormesh_forecast" | "thormesh_fleet_forecast",
  figures: (window: AccuracyWindow) => ForecastAccuracy,
): void {
  let read: ReadonlyMap<AccuracyWindow, ForecastAccuracy> = new Map();
  for (const [index, [suffix, figure, help, factor]] of gauges.entries()) {
    new Gauge({
      name: `${prefix}_${suffix}`,
      help,
      labelNames: ["window"],
      registers: [metrics],
      collect() {
        // The registry collects in order of registration: the first one reads for all.
        if (index === 0) read = new Map(shownWindows.map((window) => [window, figures(window)]));
        for (const [window, values] of read) {
          const value = values[figure];
          if (value === null) this.remove({ window });
          else this.set({ window }, value * factor);
        }
      },
    });
  }
}
