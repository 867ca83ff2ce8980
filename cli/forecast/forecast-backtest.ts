import { open, rm } from "node:fs/promises";
import { basename } from "node:path";
import { type Backtest, backtest, type NetworkForecasts } from "#forecast/backtest.ts";
import type { Calendar } from "#forecast/data/calendar.ts";
import { parseTrace } from "#forecast/data/parse-trace.ts";
import { makeBatch } from "#forecast/data/training-samples.ts";
import { outputMinutes } from "#forecast/data/window-features.ts";
import { outputsToRates } from "#forecast/judge/evaluate-forecasts.ts";
import { defaultModelFiles } from "#forecast/lstm/default-model.ts";
import { loadModel, loadModelFrom } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { startBackend } from "#forecast/lstm/tensorflow.ts";
import { modelStepMs, rateSeriesOf } from "#forecast/lstm/train-from-trace.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { formatTable } from "#platform/terminal/format-table.ts";
import { version } from "#platform/version.ts";
import { backtestColumns } from "#tools/reports/forecast/backtest-columns.ts";
import { type ReportSection, renderReport } from "#tools/reports/forecast/render-report.ts";
import { toCounts, type ValueUnit } from "./read-training-data.ts";

export interface BacktestRequest {
  readonly paths: readonly string[];
  readonly unit: ValueUnit;
  readonly horizonMinutes: number;
  readonly timeZone: string;
  readonly holidays: readonly string[];
  /** "all", or without the network. */
  readonly models: "all" | "simple";
  readonly maxOrigins: number;
  readonly json: boolean;
  /** A trained model to judge; null: the one that the program carries. */
  readonly modelDirectory: string | null;
  /** Where a report with plots goes; null: nowhere. */
  readonly htmlPath: string | null;
}

async function loadNetwork(directory: string | null): Promise<{ forecasts: NetworkForecasts; dispose(): void }> {
  await startBackend();
  const model = await (directory === null ? loadModel(defaultModelFiles) : loadModelFrom(directory)).catch((cause) => {
    if (directory === null) throw cause;
    throw new UsageError(`--model-dir ${directory} holds no model that can be used: ${describeError(cause)}`, {
      cause,
    });
  });
  return {
    forecasts: (series, origins, stepMs, steps) => {
      // The network knows steps, not minutes: of other steps it is told the calendar of their own times.
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

/** One trace's table with what a reader needs to judge it. */
function renderBacktest(name: string, stepMs: number, steps: number, result: Backtest): string {
  const noise = result.poissonFloorPercent;
  const header = ["model", ...backtestColumns.map(([heading]) => heading)];
  const rows = result.rows.map((row) => [row.model, ...backtestColumns.map(([, cell]) => cell(row))]);
  const shares = Object.entries(result.championShares)
    .sort(([, a], [, b]) => b - a)
    .map(([model, share]) => `${model} ${(100 * share).toFixed(0)} %`);
  const lines = [
    `${name}: ${result.origins} forecasts of ${steps} steps of ${stepMs / 1000} s; WAPE of Poisson noise alone ${noise === null ? "unknown" : `${noise.toFixed(1)} %`}`,
    formatTable(header, rows),
    `champion: ${shares.join(", ")}`,
  ];
  if (result.leftOut.length > 0) lines.push(`too little record for ${result.leftOut.join(", ")}`);
  return lines.join("\n");
}

/** Before the replay, not after it, is the time to learn that its report can't be written. */
async function assertWritable(path: string): Promise<void> {
  try {
    const file = await open(path, "a");
    const { size } = await file.stat();
    await file.close();
    if (size === 0) await rm(path); // nothing is left behind should the replay fail
  } catch (cause) {
    throw new UsageError(`--html ${path} can't be written: ${describeError(cause)}`, { cause });
  }
}

/** Prints how well each model would have forecast the newest part of each trace. */
export async function runBacktest(request: BacktestRequest): Promise<number> {
  const { timeZone, holidays } = request;
  const traces = await Promise.all(
    request.paths.map(async (path) => {
      const text = await Bun.file(path)
        .text()
        .catch((cause) => {
          throw new UsageError(`--trace ${path} can't be read`, { cause });
        });
      return toCounts(parseTrace(text, basename(path)), request.unit);
    }),
  );
  const stepsOf = (stepMs: number) => Math.max(1, Math.round((request.horizonMinutes * 60_000) / stepMs));
  const fits = (stepMs: number) => stepsOf(stepMs) <= outputMinutes;
  const wanted = request.models === "all" && traces.some(({ stepMs }) => fits(stepMs));
  const network = wanted ? await loadNetwork(request.modelDirectory) : null;
  if (request.modelDirectory !== null && !wanted) {
    throw new UsageError(
      "--model-dir: a network forecasts 15 steps at most, and these traces and this horizon have more",
    );
  }
  if (request.htmlPath !== null) await assertWritable(request.htmlPath);
  const reports: unknown[] = [];
  const sections: ReportSection[] = [];
  try {
    for (const trace of traces) {
      const { stepMs, name } = trace;
      const series = rateSeriesOf({ trace, sha256: "", source: null, licence: null, timeZone, holidays });
      const steps = Math.max(1, Math.round((request.horizonMinutes * 60_000) / stepMs));
      const own = fits(stepMs) ? (network?.forecasts ?? null) : null;
      let result: Backtest;
      try {
        result = backtest(series, { stepMs, steps, maxOrigins: request.maxOrigins, network: own });
      } catch (error) {
        if (error instanceof UsageError) throw new UsageError(`${name}: ${error.message}`);
        throw error;
      }
      const { replay, ...figures } = result;
      if (request.htmlPath !== null) {
        sections.push({ name, stepMs, steps, startMs: series.startMs, timeZone, qps: series.qps, figures, replay });
      }
      if (request.json) reports.push({ trace: name, stepMs, steps, ...figures });
      else console.log(`${renderBacktest(name, stepMs, steps, result)}\n`);
    }
  } finally {
    network?.dispose();
  }
  if (request.htmlPath !== null) {
    await Bun.write(request.htmlPath, renderReport(sections, version));
    console.error(`report written to ${request.htmlPath}`);
  }
  if (request.json) console.log(JSON.stringify(reports, null, 2));
  else {
    console.log(
      "pinball: mean loss of the quantiles 0.5, 0.9, 0.95 in percent of the mean. peak: the highest step of a forecast. 0.9, 0.95: share of\npeaks that these quantiles covered. ×: from a forecast peak to its 0.95 quantile. skill: peak pinball against the best simple model's.",
    );
  }
  return 0;
}
