import { createCalendar } from "#forecast/data/calendar.ts";
import { findOutages, withoutOutages } from "#forecast/data/find-outages.ts";
import type { Trace } from "#forecast/data/parse-trace.ts";
import { findOrigins, splitByTime } from "#forecast/data/sample-windows.ts";
import { makeBatch, type RateSeries } from "#forecast/data/training-samples.ts";
import { inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { poissonFloorPercent } from "#forecast/judge/error-measures.ts";
import { evaluateBaselines, evaluateForecasts, outputsToRates } from "#forecast/judge/evaluate-forecasts.ts";
import { UsageError } from "#platform/errors.ts";
import { minuteMs } from "#platform/time.ts";
import { judgeModel, type ModelCard, renderModelCard } from "./model-card.ts";
import { serializeModel } from "./model-files.ts";
import { predictOutputs } from "./predict-outputs.ts";
import type { BackendChoice } from "./tensorflow.ts";
import { type TrainingEvents, type TrainingOptions, trainLstm } from "./train-lstm.ts";
import type { CheckpointStore } from "./training-checkpoint.ts";

export interface TraceDescription {
  readonly trace: Trace;
  readonly sha256: string;
  readonly source: string | null;
  readonly licence: string | null;
  readonly timeZone: string;
  readonly holidays: readonly string[];
}

export interface TrainingResult {
  readonly card: ModelCard;
  /** Files of the model's directory, in the order in which they should be written. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

/** Step of the traces that the model is made for. */
export const modelStepMs = minuteMs;

/** Length of a trace without gaps of which each part has `windows`; the smallest parts are 15 % each. */
function neededMinutes(windows: number): number {
  return Math.ceil(Math.max((windows + outputMinutes) / 0.15, (inputMinutes + windows + outputMinutes) / 0.7));
}

/** Converts a trace's counts to rates, outages taken out. */
export function rateSeriesOf({ trace, timeZone, holidays }: TraceDescription): RateSeries & { outages: string[] } {
  const outages = findOutages(trace.counts);
  const stepS = trace.stepMs / 1000;
  return {
    startMs: trace.startMs,
    qps: withoutOutages(trace.counts, outages).map((count) => (count === null ? null : count / stepS)),
    calendar: createCalendar(timeZone, holidays),
    outages: outages.map(({ startIndex, length }) => {
      const start = new Date(trace.startMs + startIndex * trace.stepMs).toISOString();
      return `${start}, ${length} min`;
    }),
  };
}

/**
 * Trains on a trace, judges the result against the baselines on the newest 15 %, and returns the model with its card.
 * @param trainedAtMs time of training, for the card.
 * @throws UsageError when the trace has another step than a minute, or too little in it to train, choose and judge.
 */
export async function trainFromTrace(
  description: TraceDescription,
  options: TrainingOptions,
  backend: BackendChoice,
  trainedAtMs: number,
  events: TrainingEvents = {},
  checkpoints: CheckpointStore | null = null,
): Promise<TrainingResult> {
  const { trace } = description;
  if (trace.stepMs !== modelStepMs) {
    throw new UsageError(`${trace.name} has steps of ${trace.stepMs / 1000} s; expected steps of 60 s`);
  }
  const series = rateSeriesOf(description);
  const split = splitByTime(findOrigins(series.qps), series.qps.length);
  const few = Object.entries(split).filter(([, origins]) => origins.length < options.stride);
  if (few.length > 0) {
    const found = few.map(([part, origins]) => `${origins.length} for ${part}`).join(", ");
    throw new UsageError(
      `${trace.name} has too few complete windows of 75 minutes: ${found}. Each part needs ${options.stride}: about ${neededMinutes(options.stride)} minutes of trace without a gap, and it has ${trace.counts.length}`,
    );
  }
  const trained = await trainLstm(series, split, options, events, checkpoints);
  try {
    const outputs = predictOutputs(
      trained.model,
      makeBatch(series, split.test).inputs,
      split.test.length,
      options.batchSize,
    );
    const model = evaluateForecasts("LSTM", series, split.test, outputsToRates(series, split.test, outputs));
    const baselines = evaluateBaselines(series, split.test);
    const card: ModelCard = {
      name: "Traffic forecast, LSTM",
      trainedAt: new Date(trainedAtMs).toISOString(),
      data: {
        file: trace.name,
        sha256: description.sha256,
        from: new Date(trace.startMs).toISOString(),
        to: new Date(trace.startMs + trace.counts.length * trace.stepMs).toISOString(),
        minutes: trace.counts.length,
        missingMinutes: trace.counts.filter((count) => count === null).length,
        outages: series.outages,
        source: description.source,
        licence: description.licence,
        timeZone: description.timeZone,
        holidays: description.holidays,
      },
      split: { train: split.train.length, validation: split.validation.length, test: split.test.length },
      training: {
        ...options.shape,
        parameters: trained.model.countParams(),
        optimizer: `Adam ${options.learningRate}`,
        loss: "Huber loss",
        batchSize: options.batchSize,
        stride: options.stride,
        seed: options.seed,
        epochs: trained.epochs,
        bestEpoch: trained.bestEpoch,
        ended: trained.ended,
        durationS: trained.durationMs / 1000,
        backend,
      },
      errors: [model, ...baselines],
      poissonFloorPercent: poissonFloorPercent(
        split.test.map((origin) => (series.qps[origin] ?? 0) * (modelStepMs / 1000)),
      ),
      verdict: judgeModel(model, baselines),
    };
    const cardFiles = {
      "model-card.json": `${JSON.stringify(card, null, 2)}\n`,
      "model-card.md": renderModelCard(card),
    };
    return { card, files: { ...cardFiles, ...(await serializeModel(trained.model)) } };
  } finally {
    trained.model.dispose();
  }
}
