/** State of a training after an epoch. */
export interface TrainingProgress {
  readonly learningRate: number;
  readonly bestValidationLoss: number;
  readonly bestEpoch: number;
  /** Epochs since the best one or since the rate was last lowered. */
  readonly epochsOnPlateau: number;
}

/** Next step of a training; `kind` is the action, `rule` its cause. */
export type TrainingStep = { readonly progress: TrainingProgress } & (
  | { readonly kind: "improved"; readonly rule: "best-so-far"; readonly validationLoss: number }
  | { readonly kind: "continue"; readonly rule: "no-better"; readonly bestEpoch: number }
  | {
      readonly kind: "lower-rate";
      readonly rule: "plateau";
      readonly plateauEpochs: number;
      readonly learningRate: number;
    }
  | { readonly kind: "stop"; readonly rule: "not-a-number"; readonly epoch: number }
  | { readonly kind: "stop"; readonly rule: "out-of-patience"; readonly epochsWithoutGain: number }
);

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

/** Progress before the first epoch. */
export function startProgress(learningRate: number): TrainingProgress {
  return { learningRate, bestValidationLoss: Number.POSITIVE_INFINITY, bestEpoch: 0, epochsOnPlateau: 0 };
}

/**
 * Combines early stopping and reduce-on-plateau.
 * @param epoch counts from 1.
 * @param validationLoss ends training when it is not a number, as no later epoch can be trusted.
 */
export function decideTrainingStep(
  before: TrainingProgress,
  epoch: number,
  validationLoss: number,
  patience: TrainingPatience,
): TrainingStep {
  if (Number.isNaN(validationLoss)) return { kind: "stop", rule: "not-a-number", progress: before, epoch };
  if (validationLoss < before.bestValidationLoss) {
    const progress = { ...before, bestValidationLoss: validationLoss, bestEpoch: epoch, epochsOnPlateau: 0 };
    return { kind: "improved", rule: "best-so-far", progress, validationLoss };
  }
  const { bestEpoch } = before;
  const epochsWithoutGain = epoch - bestEpoch;
  if (epochsWithoutGain >= patience.stopEpochs) {
    return { kind: "stop", rule: "out-of-patience", progress: before, epochsWithoutGain };
  }
  const epochsOnPlateau = before.epochsOnPlateau + 1;
  const learningRate = Math.max(patience.minLearningRate, before.learningRate * patience.plateauFactor);
  if (epochsOnPlateau >= patience.plateauEpochs && learningRate < before.learningRate) {
    const progress = { ...before, learningRate, epochsOnPlateau: 0 };
    return { kind: "lower-rate", rule: "plateau", progress, plateauEpochs: epochsOnPlateau, learningRate };
  }
  return { kind: "continue", rule: "no-better", progress: { ...before, epochsOnPlateau }, bestEpoch };
}
