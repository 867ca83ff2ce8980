import type { ForecastOverview } from "#controller/api/forecast/forecast-routes.ts";
import type { AccuracyWindow } from "#forecast/accuracy/accuracy-metrics.ts";
import type { ChartData } from "#platform/page/chart-parts.tsx";
import { formatNumber, formatShare, type Quantity, quantityText } from "#platform/page/format.ts";
import type { StatusKind } from "#platform/page/status-word.tsx";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import { withGaps } from "../agent/agent-data.ts";
import type { Traffic } from "../decisions/decision-data.ts";

export type Overview = ForecastOverview;
export const windows = ["24h", "7d", "30d"] as const satisfies readonly AccuracyWindow[];

/** Window that an address asks for. */
export const windowOf = (text: string | null): AccuracyWindow => windows.find((each) => each === text) ?? "24h";

/** Hours of actual traffic beside the forecast. */
export const fanHours = 2;
const minuteMs = 60_000;

/** Actual rates, then the forecast's median with the bands up to its 0.9 and 0.95 quantiles. */
export function fanOf(forecast: Overview["forecast"], minutes: Traffic["minutes"]): ChartData {
  const past = withGaps(
    minutes.map(({ minuteStartMs, qps }) => ({ startMs: minuteStartMs, qps })),
    minuteMs,
  );
  const firstMs = forecast === null ? 0 : Math.floor(forecast.madeAtMs / minuteMs) * minuteMs;
  const steps = (forecast?.qps ?? []).map((_, step) => firstMs + step * (forecast?.stepMs ?? minuteMs));
  const known = past.filter(({ startMs }) => steps.length === 0 || startMs < firstMs);
  const times = [...known.map(({ startMs }) => startMs), ...steps];
  const nothing = known.map(() => null);
  const newest = known.at(-1)?.point?.qps ?? null;
  // The forecast begins where the record ends, so that both lines meet.
  const before = nothing.map((_, index) => (index === nothing.length - 1 && steps.length > 0 ? newest : null));
  const coming = (values: readonly number[] | undefined) => [...before, ...(values ?? steps.map(() => null))];
  return {
    times,
    series: [
      {
        label: "actual",
        color: "--c1",
        values: [...known.map(({ point }) => point?.qps ?? null), ...steps.map(() => null)],
      },
      {
        label: "median forecast, up to its 0.9 and 0.95 quantiles",
        ...{ color: "--c2", isDashed: true, values: coming(forecast?.qps) },
      },
      { label: "0.9 quantile", color: "--c2", isEdge: true, values: coming(forecast?.qps90) },
      { label: "0.95 quantile", color: "--c2", isEdge: true, values: coming(forecast?.qps95) },
    ],
    bands: [
      { upper: 2, lower: 1, color: "--c2" },
      { upper: 3, lower: 2, color: "--c5" },
    ],
  };
}

/** Peaks of past forecasts, up to their 0.95 quantile, beside the peaks that came. */
export function peaksOf(peaks: Overview["peaks"]): ChartData {
  const stepMs = peaks.reduce(
    (least, { startMs }, index) => (index === 0 ? least : Math.min(least, startMs - (peaks[index - 1]?.startMs ?? 0))),
    Number.POSITIVE_INFINITY,
  );
  const shown = withGaps(peaks, stepMs);
  const of = (value: (peak: Overview["peaks"][number]) => number | null) =>
    shown.map(({ point }) => (point === null ? null : value(point)));
  return {
    times: shown.map(({ startMs }) => startMs),
    series: [
      { label: "peak that came", color: "--c1", values: of(({ actualQps }) => actualQps) },
      {
        label: "median forecast, up to its 0.95 quantile",
        color: "--c2",
        isDashed: true,
        values: of(({ forecastQps }) => forecastQps),
      },
      { label: "0.95 quantile", color: "--c2", isEdge: true, values: of(({ upperQps }) => upperQps) },
    ],
    bands: [{ upper: 2, lower: 1, color: "--c2" }],
  };
}

/** Sentence about how often the 0.95 quantile held. */
export function coverageText(peaks: Overview["peaks"]): string {
  const judged = peaks.reduce((sum, each) => sum + each.judged, 0);
  if (judged === 0) return "no peak is judged by a 0.95 quantile yet";
  const above = peaks.reduce((sum, each) => sum + each.above, 0);
  return `${quantityText(formatShare(1 - above / judged))} of ${formatNumber(judged, 6)} peaks were within their 0.95 quantile`;
}

/** Measure of the live accuracy, as the program keeps it. */
export interface Measure {
  readonly name: string;
  readonly hint: string;
  readonly of: (accuracy: ForecastAccuracy) => Quantity;
}

const percent = (value: number | null): Quantity => ({ value: formatNumber(value), unit: "%" });
const count = (value: number): Quantity => ({ value: formatNumber(value, 6), unit: "" });

export const measures: readonly Measure[] = [
  { name: "forecasts judged", hint: "compared with what came", of: ({ forecasts }) => count(forecasts) },
  {
    name: "error (WAPE)",
    hint: "sum of absolute errors by the sum of the actual traffic, over all minutes",
    of: ({ wapePercent }) => percent(wapePercent),
  },
  {
    name: "bias",
    hint: "the same with its sign: above 0 more was forecast than came",
    of: ({ biasPercent }) => percent(biasPercent),
  },
  {
    name: "error of the peak",
    hint: "of the highest minute of each forecast",
    of: (of) => percent(of.peakWapePercent),
  },
  {
    name: "within the 0.95 quantile",
    hint: "share of peaks; 95 % is meant",
    of: ({ coverage95 }) => formatShare(coverage95),
  },
  {
    name: "rises forecast",
    hint: "of those that called for more capacity",
    of: ({ hits, rises }) => ({ value: `${hits} of ${rises}`, unit: "" }),
  },
  {
    name: "false alarms",
    hint: "rises that were forecast but did not happen",
    of: ({ falseAlarms }) => count(falseAlarms),
  },
  {
    name: "median lead",
    hint: "from the first warning to the rise",
    of: ({ medianLeadMinutes }) => ({ value: formatNumber(medianLeadMinutes), unit: "min" }),
  },
];

/** Word and shape of the finding on drift. */
export const driftStatus: Readonly<
  Record<Overview["drift"]["rule"], { readonly kind: StatusKind; readonly word: string }>
> = {
  unknown: { kind: "idle", word: "not known yet" },
  steady: { kind: "good", word: "no drift" },
  error: { kind: "bad", word: "drift: the error grew" },
  interval: { kind: "bad", word: "drift: too many peaks above the interval" },
};

type TrainingRow = Overview["training"]["rows"][number];

/** Word and shape of a training as it is now. */
export const trainingStatus: Readonly<
  Record<TrainingRow["state"], { readonly kind: StatusKind; readonly word: string }>
> = {
  waiting: { kind: "idle", word: "waits" },
  training: { kind: "busy", word: "trains" },
  resting: { kind: "warn", word: "rests while requests are queued" },
};

/** Word and shape of a training that ended. */
export const endStatus: Readonly<
  Record<NonNullable<TrainingRow["last"]>["kind"], { readonly kind: StatusKind; readonly word: string }>
> = {
  promoted: { kind: "good", word: "the new model serves" },
  kept: { kind: "idle", word: "the model before stays" },
  failed: { kind: "bad", word: "failed" },
  stopped: { kind: "warn", word: "stopped, goes on later" },
};
