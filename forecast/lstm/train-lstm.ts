import type { TimeSplit } from "#forecast/data/sample-windows.ts";
import { makeBatch, type RateSeries } from "#forecast/data/training-samples.ts";
import { featureNames, inputMinutes, outputMinutes } from "#forecast/data/window-features.ts";
import { describeError, UsageError } from "#platform/errors.ts";
import { decideTrainingStep, defaultPatience, startProgress, type TrainingStep } from "./decide-training-step.ts";
import { explainTrainingStep } from "./explain-training-step.ts";
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
  /** Real time after which no batch starts. */
  readonly maxMs: number;
}

type TrainingOrigins = Omit<TimeSplit, "test">;

export type EpochReport = Readonly<TrainingCheckpoint["epochs"][number]>;

export interface TrainingEvents {
  /** Awaited before every batch: training pauses until it resolves. */
  beforeBatch?(): Promise<void> | undefined;
  onBatch?(epoch: number, batch: number, batches: number, loss: number): void;
  onEpoch?(report: EpochReport): void;
  /** Called when an interrupted training resumes after this epoch. */
  onResume?(epoch: number): void;
  /** Called when a checkpoint could not be saved: training continues, but an interruption would lose this epoch. */
  onUnsaved?(reason: string): void;
}

export interface TrainedLstm {
  /** Model with the weights of the best epoch. The caller disposes of it. */
  readonly model: tf.LayersModel;
  readonly epochs: readonly EpochReport[];
  readonly bestEpoch: number;
  /** Cause of the end. */
  readonly ended: string;
  readonly durationMs: number;
}

/** Errors up to this many levels count squared, larger ones linearly: an unforeseeable burst must not distort the weights. */
const huberDelta = 0.3;

/** Mean Huber loss, which training minimises. */
function huberLoss(actual: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < actual.length; index += 1) {
    const error = Math.abs((actual[index] as number) - (predicted[index] as number));
    sum += error <= huberDelta ? 0.5 * error * error : huberDelta * (error - 0.5 * huberDelta);
  }
  return sum / actual.length;
}

/** Hash of everything that a training must have in common with the one that it resumes. */
function fingerprintOf(
  series: RateSeries,
  origins: TrainingOrigins,
  { shape, batchSize, learningRate, stride, seed }: TrainingOptions,
): string {
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(JSON.stringify({ shape, batchSize, learningRate, stride, seed, startMs: series.startMs }));
  hasher.update(JSON.stringify([series.qps, origins.train, origins.validation]));
  return hasher.digest("hex");
}

/** Returns every `stride`-th item from `from` on. */
function everyNth(items: readonly number[], stride: number, from: number): number[] {
  return items.filter((_, index) => index % stride === from % stride);
}

/**
 * Trains a network on a series' training origins and keeps the weights of the epoch with the least validation loss. The same inputs, options
 * and backend give the same weights, also after an interruption and a resume from the checkpoint, unless the time limit cuts training short.
 * The backend must have been started.
 * @param checkpoints keeps the state after each epoch; one of the same series and options is resumed from. The caller removes it once the
 *   result is safe.
 * @throws RangeError when there is nothing to train or validate on.
 * @throws Error when no epoch ended with a loss that is a number.
 */
export async function trainLstm(
  series: RateSeries,
  origins: TrainingOrigins,
  options: TrainingOptions,
  events: TrainingEvents = {},
  checkpoints: CheckpointStore | null = null,
): Promise<TrainedLstm> {
  if (origins.train.length === 0 || origins.validation.length === 0) {
    throw new RangeError("there is no window to train or validate on");
  }
  const training = new Training(series, origins, options, events, checkpoints);
  try {
    await training.resume();
  } catch (error) {
    training.dispose();
    throw error;
  }
  return await training.run();
}

class Training {
  readonly #series: RateSeries;
  readonly #origins: TrainingOrigins;
  readonly #options: TrainingOptions;
  readonly #events: TrainingEvents;
  readonly #checkpoints: CheckpointStore | null;
  readonly #fingerprint: string;
  readonly #startedMs = performance.now();
  readonly #model: tf.Sequential;
  readonly #optimizer: tf.AdamOptimizer;
  readonly #random: () => number;
  readonly #validationOrigins: readonly number[];
  readonly #validation: ReturnType<typeof makeBatch>;
  #epochs: EpochReport[] = [];
  #progress: ReturnType<typeof startProgress>;
  #bestWeights: tf.Tensor[] = [];
  #steps = 0;
  /** Time of the run that this one resumes. */
  #earlierMs = 0;
  #restedMs = 0;

  constructor(
    series: RateSeries,
    origins: TrainingOrigins,
    options: TrainingOptions,
    events: TrainingEvents,
    checkpoints: CheckpointStore | null,
  ) {
    this.#series = series;
    this.#origins = origins;
    this.#options = options;
    this.#events = events;
    this.#checkpoints = checkpoints;
    this.#fingerprint = checkpoints === null ? "" : fingerprintOf(series, origins, options);
    this.#model = buildLstm(options.shape, options.seed);
    this.#optimizer = tf.train.adam(options.learningRate);
    this.#model.compile({
      optimizer: this.#optimizer,
      loss: (actual, predicted) => tf.losses.huberLoss(actual, predicted, undefined, huberDelta),
    });
    this.#random = seededRandom(options.seed);
    this.#validationOrigins = everyNth(origins.validation, options.stride, 0);
    this.#validation = makeBatch(series, this.#validationOrigins);
    this.#progress = startProgress(options.learningRate);
  }

  /** Restores the state of the checkpoint, if there is one. */
  async resume(): Promise<void> {
    const checkpoint = (await this.#checkpoints?.load()) ?? null;
    if (checkpoint === null) return;
    if (checkpoint.fingerprint !== this.#fingerprint) {
      throw new UsageError("the checkpoint belongs to another trace or other options: it can't be resumed");
    }
    const weights = checkpoint.weights.map(restoreTensor);
    this.#model.setWeights(weights);
    tf.dispose(weights);
    this.#bestWeights = checkpoint.bestWeights.map(restoreTensor);
    const moments = checkpoint.optimizer.map((stored) => ({ name: stored.name, tensor: restoreTensor(stored) }));
    await this.#optimizer.setWeights(moments); // copies them into its own variables
    tf.dispose(moments.map(({ tensor }) => tensor));
    const { progress, epochs, steps, elapsedMs } = structuredClone(checkpoint);
    this.#progress = progress;
    this.#epochs = epochs;
    this.#steps = steps;
    this.#earlierMs = elapsedMs;
    this.#setLearningRate(progress.learningRate);
    // The order of the coming epochs depends on the shuffles of the past ones.
    for (const { epoch } of epochs) this.#shuffledOrigins(epoch);
    this.#events.onResume?.(epochs.length);
  }

  async run(): Promise<TrainedLstm> {
    const ended = await this.#trainEpochs();
    this.#optimizer.dispose();
    const model = this.#model;
    if (this.#bestWeights.length === 0) {
      model.dispose();
      throw new Error(`training ended before anything was learnt: ${ended}`);
    }
    model.setWeights(this.#bestWeights);
    tf.dispose(this.#bestWeights);
    const { bestEpoch } = this.#progress;
    return { model, epochs: this.#epochs, bestEpoch, ended, durationMs: this.#elapsedMs() };
  }

  dispose(): void {
    tf.dispose(this.#bestWeights);
    this.#optimizer.dispose();
    this.#model.dispose();
  }

  /** Returns the cause of the end. */
  async #trainEpochs(): Promise<string> {
    const { epochs, maxMs } = this.#options;
    for (let epoch = this.#epochs.length + 1; epoch <= epochs; epoch += 1) {
      const { done, batches, loss } = await this.#trainEpoch(epoch);
      if (done === 0) return "time limit";
      const step = this.#judgeEpoch(epoch, loss);
      if (step.kind === "stop") return explainTrainingStep(step);
      if (done < batches || this.#elapsedMs() >= maxMs) return "time limit";
      if (this.#checkpoints === null) continue;
      await this.#save(this.#checkpoints).catch((error: unknown) => this.#events.onUnsaved?.(describeError(error)));
    }
    return `${epochs} epochs done`;
  }

  async #trainEpoch(epoch: number): Promise<{ done: number; batches: number; loss: number }> {
    const { batchSize, maxMs } = this.#options;
    const order = this.#shuffledOrigins(epoch);
    const batches = Math.ceil(order.length / batchSize);
    let lossSum = 0;
    let done = 0;
    for (; done < batches && this.#elapsedMs() < maxMs; done += 1) {
      const restedFromMs = performance.now();
      await this.#events.beforeBatch?.();
      this.#restedMs += performance.now() - restedFromMs;
      lossSum += await this.#trainBatch(order.slice(done * batchSize, (done + 1) * batchSize));
      this.#events.onBatch?.(epoch, done + 1, batches, lossSum / (done + 1));
      await new Promise(setImmediate); // yields to signals and timers
    }
    return { done, batches, loss: lossSum / done };
  }

  async #trainBatch(origins: readonly number[]): Promise<number> {
    const { inputs, targets } = makeBatch(this.#series, origins);
    const x = tf.tensor3d(inputs, [origins.length, inputMinutes, featureNames.length]);
    const y = tf.tensor2d(targets, [origins.length, outputMinutes]);
    this.#steps += 1;
    reseedDropout(this.#model, this.#options.seed * 1_000_003 + this.#steps);
    const loss = (await this.#model.trainOnBatch(x, y)) as number;
    tf.dispose([x, y]);
    return loss;
  }

  #judgeEpoch(epoch: number, trainingLoss: number): TrainingStep {
    const { inputs, targets } = this.#validation;
    const { batchSize } = this.#options;
    const outputs = predictOutputs(this.#model, inputs, this.#validationOrigins.length, batchSize);
    const validationLoss = huberLoss(targets, outputs);
    const step = decideTrainingStep(this.#progress, epoch, validationLoss, defaultPatience);
    if (step.kind === "improved") {
      tf.dispose(this.#bestWeights);
      this.#bestWeights = this.#model.getWeights().map((weight) => weight.clone());
    }
    this.#progress = step.progress;
    const { learningRate } = step.progress;
    this.#setLearningRate(learningRate);
    const elapsedMs = this.#elapsedMs();
    const outcome = explainTrainingStep(step);
    const report: EpochReport = { epoch, trainingLoss, validationLoss, learningRate, elapsedMs, outcome };
    this.#epochs.push(report);
    this.#events.onEpoch?.(report);
    return step;
  }

  async #save(checkpoints: CheckpointStore): Promise<void> {
    const stored = (tensors: readonly tf.Tensor[]) =>
      tensors.map((tensor, index) => storeTensor(String(index), tensor));
    const optimizerWeights = await this.#optimizer.getWeights();
    await checkpoints.save({
      format: "thormesh-training-checkpoint",
      version: 1,
      fingerprint: this.#fingerprint,
      steps: this.#steps,
      elapsedMs: this.#elapsedMs(),
      progress: this.#progress,
      epochs: this.#epochs,
      weights: stored(this.#model.getWeights()),
      bestWeights: stored(this.#bestWeights),
      optimizer: optimizerWeights.map(({ name, tensor }) => storeTensor(name, tensor)),
    });
    optimizerWeights[0]?.tensor.dispose(); // the count of iterations is a copy; the others are the optimizer's own
  }

  #shuffledOrigins(epoch: number): number[] {
    return shuffled(everyNth(this.#origins.train, this.#options.stride, epoch - 1), this.#random);
  }

  #elapsedMs(): number {
    return this.#earlierMs + performance.now() - this.#startedMs - this.#restedMs;
  }

  /** Adam reads its rate at every step but declares it protected. */
  #setLearningRate(learningRate: number): void {
    Object.assign(this.#optimizer, { learningRate });
  }
}
