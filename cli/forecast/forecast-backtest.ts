import { open, rm } from "node:fs/promises";
import { backtest } from "#forecast/backtest.ts";
import type { Calendar } from "#forecast/data/calendar.ts";
import type { Trace } from "#forecast/data/parse-trace.ts";
import { makeBatch } from "#forecast/data/training-samples.ts";
import { outputMinutes } from "#forecast/data/window-features.ts";
import { outputsToRates } from "#forecast/judge/evaluate-forecasts.ts";
import type { RiseFigures } from "#forecast/judge/judge-rises.ts";
import type { NetworkForecasts } from "#forecast/judge/replay-forecasts.ts";
import { defaultModelFiles } from "#forecast/lstm/default-model.ts";
import { loadModel, loadModelFrom } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { startBackend } from "#forecast/lstm/tensorflow.ts";
import { modelStepMs, rateSeriesOf } from "#forecast/lstm/train-from-trace.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { minuteMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import { backtestColumns, columnLegend } from "#tools/reports/forecast/backtest-columns.ts";
import { forecastReport } from "#tools/reports/pages";
import type { ReportSection } from "#tools/reports/report-sections.ts";

export interface BacktestRequest {
  readonly traces: readonly Trace[];
  readonly horizonMinutes: number;
  readonly timeZone: string;
  readonly holidays: readonly string[];
  /** simple: without the network. */
  readonly models: "all" | "simple";
  readonly maxOrigins: number;
  readonly json: boolean;
  /** Directory of a trained model to judge; null: the built-in one. */
  readonly modelDirectory: string | null;
  /** File for a report with plots; null: none. */
  readonly htmlPath: string | null;
}

async function loadNetwork(directory: string | null): Promise<{ forecasts: NetworkForecasts; dispose(): void }> {
  await startBackend();
  const model = await (directory === null ? loadModel(defaultModelFiles) : loadModelFrom(directory)).catch((cause) => {
    if (directory === null) throw cause;
    throw new UsageError(`--model-dir ${directory} contains no usable model: ${describeError(cause)}`, {
      cause,
    });
  });
  return {
    forecasts: (series, origins, stepMs, steps) => {
      // The network takes every step for a minute: with other steps the calendar must be of their own times.
      const calendarOfStep: Calendar = (timeMs) =>
        series.calendar(series.startMs + ((timeMs - series.startMs) * stepMs) / modelStepMs);
      const stretched = { ...series, calendar: calendarOfStep };
      const { inputs } = makeBatch(stretched, origins);
      const outputs = predictOutputs(model, inputs, origins.length, 64);
      return outputsToRates(series, origins, outputs).map((rates) => rates.slice(0, steps));
    },
    dispose: () => {
      model.dispose();
    },
  };
}

/** Renders the table of one trace, with the noise and the shares. */
function renderBacktest({ name, stepMs, steps, figures: result }: ReportSection): string {
  const noise = result.poissonFloorPercent;
  const header = ["model", ...backtestColumns.map(([heading]) => heading)];
  const rows = result.rows.map((row) => [row.model, ...backtestColumns.map(([, cell]) => cell(row))]);
  const shares = Object.entries(result.championShares)
    .sort(([, a], [, b]) => b - a)
    .map(([model, share]) => `${model} ${(100 * share).toFixed(0)} %`);
  const lines = [
    `${name}: ${result.origins} forecasts of ${steps} steps of ${stepMs / 1000} s; WAPE of Poisson noise alone: ${noise === null ? "unknown" : `${noise.toFixed(1)} %`}`,
    formatTable(header, rows),
    `champion: ${shares.join(", ")}`,
    risesToText(result.rises),
  ];
  if (result.leftOut.length > 0) lines.push(`too little traffic on record for: ${result.leftOut.join(", ")}`);
  return lines.join("\n");
}

/** Text like "rises: 12, 75 % forecast 9 min before (median), 25 % missed; 1 false alarm, 10 % of the alarms". */
function risesToText({
  rises,
  hitRate,
  missRate,
  falseAlarms,
  falseAlarmRate,
  medianLeadMinutes,
}: RiseFigures): string {
  const percent = (share: number | null) => (share === null ? "–" : `${(100 * share).toFixed(0)} %`);
  const lead = medianLeadMinutes === null ? "" : ` ${medianLeadMinutes.toFixed(0)} min before (median)`;
  const alarms = `${falseAlarms} false alarm${falseAlarms === 1 ? "" : "s"}, ${percent(falseAlarmRate)} of the alarms`;
  return `rises: ${rises}, ${percent(hitRate)} forecast${lead}, ${percent(missRate)} missed; ${alarms}`;
}

/** Checks before the replay that its report can be written. */
async function assertWritable(path: string): Promise<void> {
  try {
    const file = await open(path, "a");
    const { size } = await file.stat();
    await file.close();
    if (size === 0) await rm(path); // leaves no empty file if the replay fails
  } catch (cause) {
    throw new UsageError(`--html ${path} can't be written: ${describeError(cause)}`, { cause });
  }
}

function backtestTrace(trace: Trace, request: BacktestRequest, network: NetworkForecasts | null): ReportSection {
  const { timeZone, holidays, maxOrigins } = request;
  const { stepMs, name } = trace;
  const { startMs, qps, calendar } = rateSeriesOf({
    trace,
    sha256: "",
    source: null,
    licence: null,
    timeZone,
    holidays,
  });
  const steps = stepsOf(stepMs, request);
  try {
    const options = { stepMs, steps, maxOrigins, network: steps <= outputMinutes ? network : null };
    const { replay, ...figures } = backtest({ startMs, qps, calendar }, options);
    return { name, stepMs, steps, startMs, timeZone, qps, figures, replay };
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${name}: ${error.message}`);
    throw error;
  }
}

function stepsOf(stepMs: number, { horizonMinutes }: BacktestRequest): number {
  return Math.max(1, Math.round((horizonMinutes * minuteMs) / stepMs));
}

/** Prints the errors of each model's forecasts of the newest part of each trace. */
export async function runBacktest(request: BacktestRequest): Promise<number> {
  const { traces, models, modelDirectory, htmlPath, json } = request;
  const wanted = models === "all" && traces.some(({ stepMs }) => stepsOf(stepMs, request) <= outputMinutes);
  if (modelDirectory !== null && !wanted) {
    throw new UsageError(
      "--model-dir: the network forecasts at most 15 steps; every trace needs more for this horizon",
    );
  }
  const network = wanted ? await loadNetwork(modelDirectory) : null;
  if (htmlPath !== null) await assertWritable(htmlPath);
  const sections: ReportSection[] = [];
  try {
    for (const trace of traces) {
      const section = backtestTrace(trace, request, network?.forecasts ?? null);
      sections.push(section);
      if (!json) console.log(`${renderBacktest(section)}\n`);
    }
  } finally {
    network?.dispose();
  }
  if (htmlPath !== null) {
    await Bun.write(htmlPath, await forecastReport(sections, version));
    console.error(`report written to ${htmlPath}`);
  }
  const reports = sections.map(({ name, stepMs, steps, figures }) => ({ trace: name, stepMs, steps, ...figures }));
  console.log(json ? JSON.stringify(reports, null, 2) : columnLegend);
  return 0;
}
