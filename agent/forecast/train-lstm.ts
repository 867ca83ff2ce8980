import { decideTrainingStep, defaultPatience, startProgress } from "./decide-training-step.ts";
import { buildLstm, type LstmShape, reseedDropout } from "./lstm-model.ts";
import { predictOutputs } from "./predict-outputs.ts";
import { seededRandom, shuffled } from "./seeded-random.ts";
import { tf } from "./tensorflow.ts";
import { makeBatch, type RateSeries } from "./training-samples.ts";
import { featureNames, inputMinutes, outputMinutes } from "./window-features.ts";

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
  onBatch?(epoch: number, batch: number, batches: number, loss: number): void;
  onEpoch?(report: EpochReport): void;
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
export function huberLoss(actual: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < actual.length; index += 1) {
    const error = Math.abs((actual[index] as number) - (predicted[index] as number));
    sum += error <= huberDelta ? 0.5 * error * error : huberDelta * (error - 0.5 * huberDelta);
  }
  return sum / actual.length;
}

/** Every `stride`-th item from `from` on. */
function everyNth(items: readonly number[], stride: number, from: number): number[] {
  return items.filter((_, index) => index % stride === from % stride);
}

/**
 * Trains a network on a series' training origins and keeps the weights of the epoch with the least validation loss. The same inputs,
 * options and backend give the same weights, unless the time limit cuts training short. The backend must have been started.
 * @throws RangeError when there is nothing to train or validate on.
 * @throws Error when no epoch ended with a loss that is a number.
 */
export async function trainLstm(
  series: RateSeries,
  origins: { readonly train: readonly number[]; readonly validation: readonly number[] },
  options: TrainingOptions,
  events: TrainingEvents = {},
): Promise<TrainedLstm> {
  if (origins.train.length === 0 || origins.validation.length === 0) {
    throw new RangeError("there is no window to train or to validate on");
  }
  const startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  const model = buildLstm(options.shape, options.seed);
  const optimizer = tf.train.adam(options.learningRate);
  model.compile({
    optimizer,
    loss: (actual, predicted) => tf.losses.huberLoss(actual, predicted, undefined, huberDelta),
  });

  const random = seededRandom(options.seed);
  const validationOrigins = everyNth(origins.validation, options.stride, 0);
  const validation = makeBatch(series, validationOrigins);
  const epochs: EpochReport[] = [];
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

  for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
    const order = shuffled(everyNth(origins.train, options.stride, epoch - 1), random);
    const batches = Math.ceil(order.length / options.batchSize);
    let lossSum = 0;
    let done = 0;
    for (; done < batches && elapsedMs() < options.maxMs; done += 1) {
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
