import { constants, setPriority } from "node:os";
import { basename } from "node:path";
import { type Calendar, createCalendar } from "#forecast/data/calendar.ts";
import { parseTrace, type Trace } from "#forecast/data/parse-trace.ts";
import { findOrigins, splitByTime, strideFor } from "#forecast/data/sample-windows.ts";
import { makeBatch, type RateSeries, ratesFrom } from "#forecast/data/training-samples.ts";
import { outputMinutes } from "#forecast/data/window-features.ts";
import { evaluateForecasts, outputsToRates } from "#forecast/judge/evaluate-forecasts.ts";
import { defaultModelFiles } from "#forecast/lstm/default-model.ts";
import { lstmShapes } from "#forecast/lstm/lstm-shapes.ts";
import { loadModel, loadModelFrom, writeFilesAtomically } from "#forecast/lstm/model-files.ts";
import { predictOutputs } from "#forecast/lstm/predict-outputs.ts";
import { startBackend } from "#forecast/lstm/tensorflow.ts";
import { rateSeriesOf, trainFromTrace } from "#forecast/lstm/train-from-trace.ts";
import { createCheckpointFile } from "#forecast/lstm/training-checkpoint.ts";
import { describeError } from "#platform/errors.ts";
import { readRegularText } from "#platform/files/read-regular-file.ts";
import type { PairedErrors } from "./chance-of-luck.ts";
import { decidePromotion } from "./decide-promotion.ts";
import { fitTreesToTrace } from "./fit-trees.ts";
import type { TrainerMessage, TrainerOrder, TrainerTask } from "./trainer-messages.ts";

const maxEpochs = 40;

/** Forecasts of a model at the held-out origins; null when it can't be loaded. */
async function heldOutForecasts(
  directory: string | null,
  series: RateSeries,
  origins: readonly number[],
): Promise<number[][] | null> {
  try {
    const model = await (directory === null ? loadModel(defaultModelFiles) : loadModelFrom(directory));
    const outputs = predictOutputs(model, makeBatch(series, origins).inputs, origins.length, 32);
    model.dispose();
    return outputsToRates(series, origins, outputs);
  } catch {
    return null; // the decision covers a model that can't be loaded
  }
}

/** Sums up the absolute errors of two models' forecasts by the quarter of an hour: those of neighbouring minutes share most of their steps. */
function errorsByStretch(
  series: RateSeries,
  origins: readonly number[],
  candidate: readonly (readonly number[])[],
  incumbent: readonly (readonly number[])[],
): PairedErrors[] {
  const sums = new Map<number, { candidate: number; incumbent: number }>();
  for (const [index, origin] of origins.entries()) {
    const stretch = Math.floor(origin / outputMinutes);
    const sum = sums.get(stretch) ?? { candidate: 0, incumbent: 0 };
    sums.set(stretch, sum);
    for (const [step, rate] of ratesFrom(series, origin).entries()) {
      sum.candidate += Math.abs((candidate[index]?.[step] as number) - rate);
      sum.incumbent += Math.abs((incumbent[index]?.[step] as number) - rate);
    }
  }
  return [...sums.values()];
}

/** Fits the trees, which take seconds, before the network, which takes an hour. */
async function fitTrees(
  trace: Trace,
  calendar: Calendar,
  send: (message: TrainerMessage) => void,
  rest: () => Promise<void> | undefined,
) {
  try {
    const task = fitTreesToTrace(trace, calendar);
    let step = task.next();
    while (step.done !== true) {
      await rest();
      // Orders to rest come in between.
      await new Promise(setImmediate);
      step = task.next();
    }
    if (step.value !== null) send({ kind: "trees", text: step.value });
  } catch (error) {
    send({ kind: "no-trees", reason: describeError(error) });
  }
}

/** Trains a model, judges it beside the model in service on the newest 15 %, and writes it. */
async function train(
  task: TrainerTask,
  send: (message: TrainerMessage) => void,
  rest: () => Promise<void> | undefined,
) {
  const { tracePath, timeZone, holidays } = task;
  // WebAssembly runs on one thread, so training takes one core at most.
  const backend = await startBackend("wasm");
  const text = await readRegularText(tracePath);
  const description = {
    trace: parseTrace(text, basename(tracePath)),
    sha256: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
    source: "this device's own record",
    licence: null,
    timeZone,
    holidays,
  };
  await fitTrees(description.trace, createCalendar(timeZone, holidays), send, rest);
  const options = {
    shape: lstmShapes[task.units],
    epochs: maxEpochs,
    batchSize: 32,
    learningRate: 1e-3,
    stride: strideFor(description.trace.counts.length),
    seed: 1,
    maxMs: task.maxMs,
  };
  const events = {
    beforeBatch: rest,
    onResume: (epoch: number) => send({ kind: "resumed", epoch }),
    onUnsaved: (reason: string) => send({ kind: "unsaved", reason }),
    onBatch: (epoch: number, batch: number, batches: number, loss: number) =>
      send({ kind: "batch", epoch, batch, batches, loss }),
    onEpoch: (report: Extract<TrainerMessage, { kind: "epoch" }>["report"]) =>
      send({ kind: "epoch", report, rssBytes: process.memoryUsage.rss() }),
  };
  const checkpoints = createCheckpointFile(task.checkpointPath);
  const { card, files } = await trainFromTrace(description, options, backend, Date.now(), events, checkpoints);
  await writeFilesAtomically(task.outputDirectory, files);
  await checkpoints.remove();
  const series = rateSeriesOf(description);
  const { test } = splitByTime(findOrigins(series.qps), series.qps.length);
  const [own, ...simple] = card.errors.map(({ minutes }) => minutes.wapePercent);
  const known = simple.filter((value) => value !== null && value !== undefined);
  const incumbent = await heldOutForecasts(task.incumbentDirectory, series, test);
  const candidate = incumbent && (await heldOutForecasts(task.outputDirectory, series, test));
  const incumbentError = incumbent && evaluateForecasts("in service", series, test, incumbent).minutes;
  const decision = decidePromotion({
    candidate: { wapePercent: own ?? null, forecasts: test.length },
    incumbent: incumbentError && { wapePercent: incumbentError.wapePercent, forecasts: test.length },
    simpleWapePercent: known.length === 0 ? null : Math.min(...known),
    ...(incumbent && candidate ? { stretches: errorsByStretch(series, test, candidate, incumbent) } : {}),
  });
  send({ kind: "done", decision, durationS: card.training.durationS, verdict: card.verdict.text });
}

/**
 * Runs the child process that trains at night: at the lowest priority unless the task says otherwise, pausing whenever told to. It ends with
 * its work or with the channel to its parent.
 * @returns the exit code.
 */
export async function runTrainer(task: TrainerTask): Promise<number> {
  if (process.send === undefined) throw new Error("the training process is started by an agent, not by hand");
  if (task.priority === "idle") setPriority(constants.priority.PRIORITY_LOW);
  const send = (message: TrainerMessage) => process.send?.(message);
  // Only the parent acts on a signal to the whole process group (Ctrl-C, systemd).
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  let resting: PromiseWithResolvers<void> | undefined;
  process.on("message", ({ kind }: TrainerOrder) => {
    if (kind === "rest") resting ??= Promise.withResolvers<void>();
    else {
      resting?.resolve();
      resting = undefined;
    }
  });
  const orphaned = Promise.withResolvers<number>();
  process.on("disconnect", () => orphaned.resolve(0));
  const work = train(task, send, () => resting?.promise).then(
    () => 0,
    (error) => {
      send({ kind: "failed", reason: describeError(error) });
      return 1;
    },
  );
  return await Promise.race([work, orphaned.promise]);
}
