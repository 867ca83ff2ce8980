import { access, constants, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isDay } from "#forecast/check-forecast-config.ts";
import { strideFor } from "#forecast/data/sample-windows.ts";
import { featureNames, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { medianMs, startFastestBackend } from "#forecast/lstm/fastest-backend.ts";
import { buildLstm } from "#forecast/lstm/lstm-model.ts";
import { type LstmShape, lstmShapes } from "#forecast/lstm/lstm-shapes.ts";
import { writeFilesAtomically } from "#forecast/lstm/model-files.ts";
import { backends, startBackend, tf } from "#forecast/lstm/tensorflow.ts";
import { type TraceDescription, trainFromTrace } from "#forecast/lstm/train-from-trace.ts";
import { createCheckpointFile } from "#forecast/lstm/training-checkpoint.ts";
import { isTimeZone } from "#platform/calendar/calendar-period.ts";
import { UsageError } from "#platform/errors.ts";
import {
  type Command,
  type OptionValues,
  optionalChoice,
  optionalNumber,
  optionalString,
  requiredOption,
  unexpectedWord,
} from "#platform/terminal/command.ts";
import { minuteMs } from "#platform/time.ts";
import { readTraces, traceOptions } from "../read-traces.ts";
import { runBacktest } from "./forecast-backtest.ts";
import { lockForTraining } from "./training-lock.ts";
import { createTrainingProgress } from "./training-progress.ts";

function readTimeZone(values: OptionValues): string {
  const timeZone = optionalString(values, "time-zone") ?? "UTC";
  if (!isTimeZone(timeZone))
    throw new UsageError(`--time-zone: expected a time zone like Europe/Berlin, got "${timeZone}"`);
  return timeZone;
}

function readHolidays(values: OptionValues): string[] {
  const days = (optionalString(values, "holidays") ?? "").split(",").filter((day) => day !== "");
  const wrong = days.find((day) => !isDay(day));
  if (wrong !== undefined) throw new UsageError(`--holidays: expected days like 2026-12-25, got "${wrong}"`);
  return days;
}

async function readTrace(values: OptionValues): Promise<TraceDescription> {
  const timeZone = readTimeZone(values);
  const holidays = readHolidays(values);
  const source = optionalString(values, "source") ?? null;
  const licence = optionalString(values, "licence") ?? null;
  const path = optionalString(values, "trace");
  const [data] = await readTraces(path === undefined ? undefined : [path], values);
  return { ...data, source, licence, timeZone, holidays };
}

/** Creates the directory, and checks before the training that its result can be written. */
async function openDirectory(directory: string): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    await access(directory, constants.W_OK);
    return directory;
  } catch (cause) {
    throw new UsageError(`--out ${directory} can't be written to`, { cause });
  }
}

/** Measures one step of training on the backend in use. */
async function measureStep(shape: LstmShape, batchSize: number): Promise<number> {
  const model = buildLstm(shape, 1);
  model.compile({ optimizer: tf.train.adam(1e-3), loss: "meanSquaredError" });
  const inputs = tf.zeros([batchSize, inputMinutes, featureNames.length]);
  const targets = tf.zeros([batchSize, outputMinutes]);
  const ms = await medianMs(() => model.trainOnBatch(inputs, targets));
  tf.dispose([inputs, targets]);
  model.dispose();
  return ms;
}

async function train(values: OptionValues): Promise<number> {
  const description = await readTrace(values);
  const directory = await openDirectory(requiredOption(values, "out"));
  const shape =
    lstmShapes[optionalChoice(values, "units", Object.keys(lstmShapes) as (keyof typeof lstmShapes)[]) ?? "full"];
  const options = {
    shape,
    epochs: optionalNumber(values, "epochs", { min: 1, max: 1000, integer: true }) ?? 40,
    batchSize: optionalNumber(values, "batch", { min: 1, max: 512, integer: true }) ?? 32,
    learningRate: optionalNumber(values, "learning-rate", { min: 1e-6, max: 1 }) ?? 1e-3,
    stride:
      optionalNumber(values, "stride", { min: 1, max: 10_000, integer: true }) ??
      strideFor(description.trace.counts.length),
    seed: optionalNumber(values, "seed", { min: 0, max: 1_000_000, integer: true }) ?? 1,
    maxMs: (optionalNumber(values, "max-minutes", { min: 0.01, max: 100_000 }) ?? 60) * minuteMs,
  };
  const wanted = optionalChoice(values, "backend", backends);
  const backend =
    wanted === undefined
      ? await startFastestBackend(() => measureStep(shape, options.batchSize))
      : await startBackend(wanted);
  const json = values["json"] === true;
  if (!json) console.error(`TensorFlow.js runs on ${backend.backend} (${backend.reason})`);
  const unlock = await lockForTraining(directory);
  const progress = createTrainingProgress(process.stderr, options.epochs);
  try {
    const checkpoints = createCheckpointFile(join(directory, "checkpoint.json"));
    if (values["resume"] !== true) await checkpoints.remove();
    const { card, files } = await trainFromTrace(description, options, backend, Date.now(), progress, checkpoints);
    progress.finish();
    await writeFilesAtomically(directory, files).catch((cause) => {
      throw new Error(`the model can't be written to ${directory}; --resume continues near the end`, { cause });
    });
    await checkpoints.remove();
    if (json) console.log(JSON.stringify(card));
    else console.log(`${card.verdict.text}\nWritten to ${directory}: ${Object.keys(files).join(", ")}`);
    return 0;
  } finally {
    progress.finish();
    await unlock();
  }
}

async function judge(values: OptionValues): Promise<number> {
  const data = await readTraces(optionalString(values, "trace")?.split(","), values);
  return await runBacktest({
    traces: data.map(({ trace }) => trace),
    horizonMinutes: optionalNumber(values, "horizon", { min: 1, max: 240 }) ?? 15,
    timeZone: readTimeZone(values),
    holidays: readHolidays(values),
    models: optionalChoice(values, "models", ["all", "simple"]) ?? "all",
    maxOrigins: optionalNumber(values, "origins", { min: 20, max: 100_000, integer: true }) ?? 1_000,
    json: values["json"] === true,
    modelDirectory: optionalString(values, "model-dir") ?? null,
    htmlPath: optionalString(values, "html") ?? null,
  });
}

export const forecastCommand: Command = {
  summary: "train a traffic-forecasting model, or backtest models on recorded traffic",
  usage: `train --trace FILE|--prometheus URL --query PROMQL --out DIR [options]
       thormesh forecast backtest --trace FILE[,FILE…]|--prometheus URL --query PROMQL [--horizon 15] [--html FILE] [--json]`,
  examples: [
    "thormesh forecast train --trace requests.csv --out model",
    "thormesh forecast backtest --trace requests.csv --html report.html",
  ],
  options: {
    trace: { value: "FILE", help: "requests per minute: CSV with a time and a value" },
    ...traceOptions(),
    days: { value: "N", help: "read the last N days from Prometheus (default 30)" },
    out: { value: "DIR", only: "train", help: "directory for the model's files and card" },
    epochs: {
      value: "N",
      only: "train",
      help: "maximum number of passes (default 40; stops after 5 without improvement)",
    },
    stride: {
      value: "N",
      only: "train",
      help: "use every Nth window in each pass (default: about 1,500 windows per pass)",
    },
    batch: { value: "N", only: "train", help: "windows per batch (default 32)" },
    "learning-rate": { value: "X", only: "train", help: "initial learning rate of Adam (default 0.001)" },
    seed: { value: "N", only: "train", help: "the same seed gives the same model (default 1)" },
    units: {
      value: "NAME",
      only: "train",
      help: `size of the network: ${Object.keys(lstmShapes).join(", ")} (default full)`,
    },
    "max-minutes": { value: "N", only: "train", help: "stop after this time and keep the best model (default 60)" },
    "time-zone": { value: "ZONE", help: "time zone whose hours and weekdays the traffic follows (default UTC)" },
    holidays: { value: "DAYS", help: "days like 2026-12-25,2026-12-26 in that zone" },
    source: { value: "TEXT", only: "train", help: "source of the trace, for the model card" },
    licence: { value: "TEXT", only: "train", help: "licence of the trace, for the model card" },
    backend: { value: "NAME", only: "train", help: `${backends.join(", ")} (default: the fastest that is available)` },
    horizon: { value: "MIN", only: "backtest", help: "minutes ahead (default 15)" },
    models: { value: "NAME", only: "backtest", help: "all, or simple: without the network (default all)" },
    origins: { value: "N", only: "backtest", help: "maximum number of forecasts judged per trace (default 1000)" },
    resume: { only: "train", help: "resume an interrupted training into the same DIR" },
    "model-dir": { value: "DIR", only: "backtest", help: "judge this trained model instead of the built-in one" },
    html: { value: "FILE", only: "backtest", help: "also write a report with plots as one HTML file" },
    json: { help: "print the model card, or the backtest, as JSON" },
  },
  async run(values, positionals) {
    const [what, ...rest] = positionals;
    if (what === "backtest" && rest.length === 0) return await judge(values);
    if (what !== "train" || rest.length > 0) {
      const got = positionals.length === 0 ? undefined : positionals.join(" ");
      throw unexpectedWord('"train" or "backtest"', got, ["train", "backtest"]);
    }
    return await train(values);
  },
};
