import type { TrainingStep } from "./decide-training-step.ts";

export function explainTrainingStep(step: TrainingStep): string {
  switch (step.rule) {
    case "best-so-far":
      return `best so far: ${step.validationLoss.toFixed(5)}`;
    case "no-better":
      return `no better than epoch ${step.bestEpoch}`;
    case "plateau":
      return `no better for ${step.plateauEpochs} epochs: learning rate lowered to ${step.learningRate}`;
    case "not-a-number":
      return `the loss of epoch ${step.epoch} is not a number`;
    case "out-of-patience":
      return `no better for ${step.epochsWithoutGain} epochs`;
    default:
      return step satisfies never;
  }
}
