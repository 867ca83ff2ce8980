import { makeBatch, type RateSeries } from "#forecast/data/training-samples.ts";
import { featureNames, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { decideTrainingStep, defaultPatience, startProgress } from "./decide-training-step.ts";
import { buildLstm, reseedDropout } from "./lstm-model.ts";
import type { LstmShape } from "./lstm-shapes.ts";
import { predictOutputs } from "./predict-outputs.ts";
import { seededRandom, shuffled } from "./seeded-random.ts";
import { tf } from "./tensorflow.ts";
import { type CheckpointStore, restoreTensor, storeTensor, type TrainingCheckpoint } from "./training-checkpoint.ts";

export interface TrainingOptions {
  readonly shape: LstmShape;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Each epoch takes every `stride`-th origin, starting one later than the epoch before, so that all are seen in the end. */
  readonly stride: number;
  readonly seed: number;
  /** Real time after which no further batch starts. */
  readonly maxMs: number;
}

export interface EpochReport {
  readonly epoch: number;
  readonly trainingLoss: number;
  readonly validationLoss: number;
  readonly learningRate: number;
  readonly elapsedMs: number;
  /** What follows from it: "best so far", "stop", … */
  readonly outcome: string;
}

export interface TrainingEvents {
  /** Awaited before every batch: training rests for as long as it takes. */
  beforeBatch?(): Promise<void> | undefined;
  onBatch?(epoch: number, batch: number, batches: number, loss: number): void;
  onEpoch?(report: EpochReport): void;
  /** A training goes on after this epoch, where an earlier one was left. */
  onResume?(epoch: number): void;
  /** What an epoch left could not be kept: training goes on, and an interruption would cost more. */
  onUnsaved?(reason: string): void;
}

export interface TrainedLstm {
  /** With the weights of the best epoch. The caller disposes of it. */
  readonly model: tf.LayersModel;
  readonly epochs: readonly EpochReport[];
  readonly bestEpoch: number;
  /** Why training ended. */
  readonly ended: string;
  readonly durationMs: number;
}

/** Errors up to this many levels count squared, larger ones straight: a burst nobody could foresee must not bend the weights. */
const huberDelta = 0.3;

/** Mean Huber loss of residuals, the one that training minimises. */
function huberLoss(actual: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < actual.length; index += 1) {
    const error = Math.abs((actual[index] as number) - (predicted[index] as number));
    sum += error <= huberDelta ? 0.5 * error * error : huberDelta * (error - 0.5 * huberDelta);
  }
  return sum / actual.length;
}

/** What two trainings must have in common for one to go on where the other was left. */
function fingerprintOf(
  series: RateSeries,
  origins: { readonly train: readonly number[]; readonly validation: readonly number[] },
  { shape, batchSize, learningRate, stride, seed }: TrainingOptions,
): string {
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(JSON.stringify({ shape, batchSize, learningRate, stride, seed, startMs: series.startMs }));
  hasher.update(JSON.stringify([series.qps, origins.train, origins.validation]));
  return hasher.digest("hex");
}

/** Every `stride`-th item from `from` on. */
function everyNth(items: readonly number[], stride: number, from: number): number[] {
  return items.filter((_, index) => index % stride === from % stride);
}

/**
 * Trains a network on a series' training origins and keeps the weights of the epoch with the least validation loss. The same inputs,
 * options and backend give the same weights, unless the time limit cuts training short; so does a training that was interrupted and went
 * on from its checkpoint. The backend must have been started.
 * @param checkpoints where what an epoch left is kept; one of the same series and options is gone on from. The caller removes it once the
 *   result is safe.
 * @throws RangeError when there is nothing to train or validate on.
 * @throws Error when no epoch ended with a loss that is a number.
 */
export async function trainLstm(
  series: RateSeries,
  origins: { readonly train: readonly number[]; readonly validation: readonly number[] },
  options: TrainingOptions,
  events: TrainingEvents = {},
  checkpoints: CheckpointStore | null = null,
): Promise<TrainedLstm> {
  if (origins.train.length === 0 || origins.validation.length === 0) {
    throw new RangeError("there is no window to train or to validate on");
  }
  const startedMs = performance.now();
  let earlierMs = 0;
  let restedMs = 0;
  const elapsedMs = () => earlierMs + performance.now() - startedMs - restedMs;
  const model = buildLstm(options.shape, options.seed);
  const optimizer = tf.train.adam(options.learningRate);
  model.compile({
    optimizer,
    loss: (actual, predicted) => tf.losses.huberLoss(actual, predicted, undefined, huberDelta),
  });

  const random = seededRandom(options.seed);
  const validationOrigins = everyNth(origins.validation, options.stride, 0);
  const validation = makeBatch(series, validationOrigins);
  let epochs: EpochReport[] = [];
  let progress = startProgress(options.learningRate);
  let best: tf.Tensor[] = [];
  let ended = `${options.epochs} epochs done`;
  let steps = 0;

  const trainBatch = async (batchOrigins: readonly number[]): Promise<number> => {
    const { inputs, targets } = makeBatch(series, batchOrigins);
    const x = tf.tensor3d(inputs, [batchOrigins.length, inputMinutes, featureNames.length]);
    const y = tf.tensor2d(targets, [batchOrigins.length, outputMinutes]);
    steps += 1;
    reseedDropout(model, options.seed * 1_000_003 + steps);
    const loss = (await model.trainOnBatch(x, y)) as number;
    tf.dispose([x, y]);
    return loss;
  };

  const fingerprint = checkpoints === null ? "" : fingerprintOf(series, origins, options);
  const resume = async (checkpoint: TrainingCheckpoint) => {
    if (checkpoint.fingerprint !== fingerprint) {
      throw new UsageError("the checkpoint is of another trace or other options: it can't be gone on from");
    }
    const restore = (stored: TrainingCheckpoint["weights"]) => stored.map(restoreTensor);
    const weights = restore(checkpoint.weights);
    model.setWeights(weights);
    tf.dispose(weights);
    best = restore(checkpoint.bestWeights);
    const moments = checkpoint.optimizer.map((stored) => ({ name: stored.name, tensor: restoreTensor(stored) }));
    await optimizer.setWeights(moments); // makes variables of its own from them
    tf.dispose(moments.map(({ tensor }) => tensor));
    ({ progress, epochs, steps, elapsedMs: earlierMs } = structuredClone(checkpoint));
    Object.assign(optimizer, { learningRate: progress.learningRate });
    // The order of the epochs to come follows from that of those gone.
    for (const { epoch } of epochs) shuffled(everyNth(origins.train, options.stride, epoch - 1), random);
    events.onResume?.(epochs.length);
  };
  const keepCheckpoint = async () => {
    const stored = (tensors: readonly tf.Tensor[]) =>
      tensors.map((tensor, index) => storeTensor(String(index), tensor));
    const optimizerWeights = await optimizer.getWeights();
    await checkpoints?.save({
      format: "thormesh-training-checkpoint",
      version: 1,
      fingerprint,
      steps,
      elapsedMs: elapsedMs(),
      progress,
      epochs,
      weights: stored(model.getWeights()),
      bestWeights: stored(best),
      optimizer: optimizerWeights.map(({ name, tensor }) => storeTensor(name, tensor)),
    });
    optimizerWeights[0]?.tensor.dispose(); // the count of iterations is made for the asking; the others are the optimizer's own
  };
  const earlier = (await checkpoints?.load()) ?? null;
  try {
    if (earlier !== null) await resume(earlier);
  } catch (error) {
    tf.dispose(best);
    optimizer.dispose();
    model.dispose();
    throw error;
  }

  for (let epoch = epochs.length + 1; epoch <= options.epochs; epoch += 1) {
    const order = shuffled(everyNth(origins.train, options.stride, epoch - 1), random);
    const batches = Math.ceil(order.length / options.batchSize);
    let lossSum = 0;
    let done = 0;
    for (; done < batches && elapsedMs() < options.maxMs; done += 1) {
      const restedFromMs = performance.now();
      await events.beforeBatch?.();
      restedMs += performance.now() - restedFromMs;
      lossSum += await trainBatch(order.slice(done * options.batchSize, (done + 1) * options.batchSize));
      events.onBatch?.(epoch, done + 1, batches, lossSum / (done + 1));
      await new Promise(setImmediate); // signals and timers get their turn
    }
    if (done === 0) {
      ended = "time limit";
      break;
    }
    const validationLoss = huberLoss(
      validation.targets,
      predictOutputs(model, validation.inputs, validationOrigins.length, options.batchSize),
    );
    const step = decideTrainingStep(progress, epoch, validationLoss, defaultPatience);
    if (step.kind === "improved") {
      tf.dispose(best);
      best = model.getWeights().map((weight) => weight.clone());
    }
    progress = step.progress;
    // Adam reads its rate at every step but declares it protected.
    Object.assign(optimizer, { learningRate: progress.learningRate });
    const report: EpochReport = {
      epoch,
      trainingLoss: lossSum / done,
      validationLoss,
      learningRate: progress.learningRate,
      elapsedMs: elapsedMs(),
      outcome: step.reason,
    };
    epochs.push(report);
    events.onEpoch?.(report);
    if (step.kind === "stop") {
      ended = step.reason;
      break;
    }
    if (done < batches || elapsedMs() >= options.maxMs) {
      ended = "time limit";
      break;
    }
    if (checkpoints !== null) {
      await keepCheckpoint().catch((error: unknown) => events.onUnsaved?.(describeError(error)));
    }
  }
  optimizer.dispose();
  if (best.length === 0) {
    model.dispose();
    throw new Error(`training ended before anything was learnt: ${ended}`);
  }
  model.setWeights(best);
  tf.dispose(best);
  return { model, epochs, bestEpoch: progress.bestEpoch, ended, durationMs: elapsedMs() };
}
