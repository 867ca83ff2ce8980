import { describe, expect, test } from "bun:test";
import {
  decideTrainingStep,
  defaultPatience,
  startProgress,
  type TrainingStep,
} from "#forecast/lstm/decide-training-step.ts";
import { explainTrainingStep } from "#forecast/lstm/explain-training-step.ts";

describe("decideTrainingStep", () => {
  const start = startProgress(1e-3);
  test("follows a training run: improves, lowers the rate on a plateau, stops", () => {
    const steps: TrainingStep[] = [];
    let progress = start;
    for (const [index, loss] of [0.5, 0.4, 0.45, 0.4, 0.41, 0.42, 0.43, 0.1].entries()) {
      const step = decideTrainingStep(progress, index + 1, loss, defaultPatience);
      steps.push(step);
      progress = step.progress;
      if (step.kind === "stop") break;
    }
    expect(steps.map(({ kind }) => kind)).toEqual([
      "improved",
      "improved",
      "continue",
      "continue",
      "lower-rate",
      "continue",
      "stop",
    ]);
    expect(progress).toEqual({ bestEpoch: 2, bestValidationLoss: 0.4, learningRate: 5e-4, epochsOnPlateau: 1 });
    expect(steps[1]).toMatchObject({ rule: "best-so-far", validationLoss: 0.4, progress: { epochsOnPlateau: 0 } });
    expect(steps[3]).toMatchObject({ rule: "no-better", bestEpoch: 2, progress: { epochsOnPlateau: 2 } });
    expect(steps[4]).toMatchObject({ rule: "plateau", plateauEpochs: 3, learningRate: 5e-4 });
    expect(steps[6]).toMatchObject({ rule: "out-of-patience", epochsWithoutGain: 5 });
    expect(steps.map(explainTrainingStep)).toEqual([
      "best so far: 0.50000",
      "best so far: 0.40000",
      "no better than epoch 2",
      "no better than epoch 2",
      "no better for 3 epochs: learning rate lowered to 0.0005",
      "no better than epoch 2",
      "no better for 5 epochs",
    ]);
  });
  test("starts without a best epoch", () => {
    const bestValidationLoss = Number.POSITIVE_INFINITY;
    expect(start).toEqual({ learningRate: 1e-3, bestValidationLoss, bestEpoch: 0, epochsOnPlateau: 0 });
  });
  test.each([
    { name: "NaN", loss: Number.NaN, kind: "stop", rule: "not-a-number" },
    { name: "infinite", loss: Number.POSITIVE_INFINITY, kind: "continue", rule: "no-better" },
    { name: "zero", loss: 0, kind: "improved", rule: "best-so-far" },
  ])("first loss $name", ({ loss, kind, rule }) => {
    const step = decideTrainingStep(start, 1, loss, defaultPatience);
    expect([step.kind, step.rule] as string[]).toEqual([kind, rule]);
  });
  test("a loss that is not a number keeps the progress and says where it was", () => {
    const progress = { learningRate: 1e-3, bestValidationLoss: 1, bestEpoch: 2, epochsOnPlateau: 1 };
    const step = decideTrainingStep(progress, 4, Number.NaN, defaultPatience);
    expect(step).toEqual({ kind: "stop", rule: "not-a-number", progress, epoch: 4 });
    expect(explainTrainingStep(step)).toBe("the loss of epoch 4 is not a number");
  });
  test("does not lower the rate below its minimum", () => {
    const low = { learningRate: 1e-5, bestValidationLoss: 1, bestEpoch: 1, epochsOnPlateau: 2 };
    expect(decideTrainingStep(low, 4, 2, defaultPatience)).toMatchObject({
      kind: "continue",
      progress: { learningRate: 1e-5 },
    });
    const higher = { ...low, learningRate: 1.5e-5 };
    expect(decideTrainingStep(higher, 4, 2, defaultPatience)).toMatchObject({ kind: "lower-rate", learningRate: 1e-5 });
  });
});
