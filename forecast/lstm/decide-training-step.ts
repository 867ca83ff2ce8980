/** What training has seen so far, after an epoch. */
export interface TrainingProgress {
  readonly learningRate: number;
  readonly bestValidationLoss: number;
  readonly bestEpoch: number;
  /** Epochs since the best one or since the rate was last lowered. */
  readonly epochsOnPlateau: number;
}

export type TrainingStep =
  | { readonly kind: "improved"; readonly progress: TrainingProgress; readonly reason: string }
  | { readonly kind: "continue"; readonly progress: TrainingProgress; readonly reason: string }
  | { readonly kind: "lower-rate"; readonly progress: TrainingProgress; readonly reason: string }
  | { readonly kind: "stop"; readonly progress: TrainingProgress; readonly reason: string };

export interface TrainingPatience {
  /** Epochs without improvement before training ends. */
  readonly stopEpochs: number;
  /** Epochs without improvement before the learning rate is lowered. */
  readonly plateauEpochs: number;
  readonly plateauFactor: number;
  readonly minLearningRate: number;
}

export const defaultPatience: TrainingPatience = {
  stopEpochs: 5,
  plateauEpochs: 3,
  plateauFactor: 0.5,
  minLearningRate: 1e-5,
};

/** Where a training begins: no epoch has been better than any other yet. */
export function startProgress(learningRate: number): TrainingProgress {
  return { learningRate, bestValidationLoss: Number.POSITIVE_INFINITY, bestEpoch: 0, epochsOnPlateau: 0 };
}

/**
 * Early stopping and reduce-on-plateau in one place.
 * @param epoch counts from 1. A loss that is not a number ends training: nothing after it can be trusted.
 */
export function decideTrainingStep(
  before: TrainingProgress,
  epoch: number,
  validationLoss: number,
  patience: TrainingPatience,
): TrainingStep {
  if (Number.isNaN(validationLoss)) {
    return { kind: "stop", progress: before, reason: `the loss of epoch ${epoch} is not a number` };
  }
  if (validationLoss < before.bestValidationLoss) {
    const progress = { ...before, bestValidationLoss: validationLoss, bestEpoch: epoch, epochsOnPlateau: 0 };
    return { kind: "improved", progress, reason: `best so far: ${validationLoss.toFixed(5)}` };
  }
  const waited = epoch - before.bestEpoch;
  if (waited >= patience.stopEpochs) {
    return { kind: "stop", progress: before, reason: `no better in ${waited} epochs` };
  }
  const epochsOnPlateau = before.epochsOnPlateau + 1;
  const lowered = Math.max(patience.minLearningRate, before.learningRate * patience.plateauFactor);
  if (epochsOnPlateau >= patience.plateauEpochs && lowered < before.learningRate) {
    const progress = { ...before, learningRate: lowered, epochsOnPlateau: 0 };
    return { kind: "lower-rate", progress, reason: `no better in ${epochsOnPlateau} epochs: rate ${lowered}` };
  }
  return {
    kind: "continue",
    progress: { ...before, epochsOnPlateau },
    reason: `no better than epoch ${before.bestEpoch}`,
  };
}
