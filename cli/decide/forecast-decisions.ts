import { Type } from "@sinclair/typebox";
import { decideForecastOutcome } from "#forecast/accuracy/decide-forecast-outcome.ts";
import { explainForecastOutcome } from "#forecast/accuracy/explain-forecast-outcome.ts";
import { decideChampion } from "#forecast/blend/decide-champion.ts";
import { decideForecastModel } from "#forecast/blend/decide-forecast-model.ts";
import { explainChampion } from "#forecast/blend/explain-champion.ts";
import { explainForecastModel } from "#forecast/blend/explain-forecast-model.ts";
import { decideTrainingStep, defaultPatience } from "#forecast/lstm/decide-training-step.ts";
import { explainTrainingStep } from "#forecast/lstm/explain-training-step.ts";
import { decideNightTraining } from "#forecast/night/decide-night-training.ts";
import { decidePromotion } from "#forecast/night/decide-promotion.ts";
import { explainNightTraining, explainPromotion } from "#forecast/night/explain-night-training.ts";
import { NightTrainingConfig } from "#forecast/night/night-training-config.ts";
import { decideShares } from "#forecast/quantiles/decide-shares.ts";
import { decideRestart, forecastRestartPolicy } from "#platform/process/decide-restart.ts";
import { explainRestart } from "#platform/process/explain-restart.ts";
import { type DecisionEntry, decisionEntry } from "./decision-entry.ts";

const strict = { additionalProperties: false } as const;
const Amount = Type.Number({ minimum: 0 });
const amountOrNull = Type.Union([Amount, Type.Null()], { default: null });
const Count = Type.Integer({ minimum: 0 });
const Name = Type.String({ minLength: 1 });

const ChampionInput = Type.Object(
  {
    scores: Type.Array(
      Type.Object(
        { name: Name, forecasts: Count, absoluteError: Amount, lastValueError: Amount, actual: Amount },
        strict,
      ),
    ),
    available: Type.Array(Name),
    incumbent: Type.Union([Name, Type.Null()], { default: null }),
    starter: Type.String({ default: "moving-average", minLength: 1 }),
  },
  strict,
);

const SharesInput = Type.Object(
  {
    costs: Type.Array(Type.Object({ name: Name, loss: Amount, yardstickLoss: Amount }, strict)),
    sharpness: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  },
  strict,
);

const ForecastModelInput = Type.Object(
  {
    recordedSpanMinutes: Count,
    recordedMinutes: Count,
    busyMinutes: Count,
    worker: Type.Union(
      ["ready", "starting", "stopped", "lost"].map((kind) =>
        Type.Literal(kind as "ready" | "starting" | "stopped" | "lost"),
      ),
      { default: "ready", description: "the process that holds the network" },
    ),
  },
  strict,
);

const ForecastOutcomeInput = Type.Object(
  {
    made: Type.Object(
      {
        madeAtMs: Type.Number({ default: 0 }),
        model: Type.String({ default: "" }),
        startMs: Type.Number({ default: 0 }),
        stepMs: Type.Number({ exclusiveMinimum: 0, default: 60_000 }),
        levelQps: Amount,
        qps: Type.Array(Amount, { minItems: 1, maxItems: 1440 }),
        peakQps: Amount,
        upperPeakQps: amountOrNull,
      },
      strict,
    ),
    actual: Type.Array(Type.Union([Amount, Type.Null()]), {
      description: "what came, step by step; null: not counted",
    }),
  },
  strict,
);

const TrainingStepInput = Type.Object(
  {
    before: Type.Object(
      {
        learningRate: Type.Number({ exclusiveMinimum: 0 }),
        bestValidationLoss: Type.Union([Type.Number(), Type.Null()], { default: null, description: "null: none yet" }),
        bestEpoch: Type.Integer({ minimum: 0, default: 0 }),
        epochsOnPlateau: Type.Integer({ minimum: 0, default: 0 }),
      },
      strict,
    ),
    epoch: Type.Integer({ minimum: 1 }),
    validationLoss: Type.Number(),
    patience: Type.Object(
      {
        stopEpochs: Type.Integer({ minimum: 1, default: defaultPatience.stopEpochs }),
        plateauEpochs: Type.Integer({ minimum: 1, default: defaultPatience.plateauEpochs }),
        plateauFactor: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: defaultPatience.plateauFactor }),
        minLearningRate: Type.Number({ minimum: 0, default: defaultPatience.minLearningRate }),
      },
      { ...strict, default: {} },
    ),
  },
  strict,
);

const { enabled, window } = NightTrainingConfig.properties;
const WindowsOfPart = Type.Object({ found: Count, needed: Count }, strict);
const NightTrainingInput = Type.Object(
  {
    enabled,
    minuteOfDay: Type.Integer({ minimum: 0, maximum: 1439 }),
    window,
    nowMs: Type.Number(),
    running: Type.Boolean({ default: false }),
    busy: Type.Boolean({ default: false }),
    lastEndedMs: Type.Union([Type.Number(), Type.Null()], { default: null }),
    recordedMinutes: Count,
    neededMinutes: Type.Integer({ minimum: 0, default: 7 * 1440 }),
    windows: Type.Union(
      [Type.Object({ train: WindowsOfPart, validation: WindowsOfPart, test: WindowsOfPart }, strict), Type.Null()],
      { default: null },
    ),
  },
  strict,
);

const HeldOutError = Type.Object({ wapePercent: amountOrNull, forecasts: Count }, strict);
const PromotionInput = Type.Object(
  {
    candidate: HeldOutError,
    incumbent: Type.Union([HeldOutError, Type.Null()], { default: null }),
    simpleWapePercent: amountOrNull,
  },
  strict,
);

/** State of a forecasting process of which only the kind matters here. */
function workerState(kind: "ready" | "starting" | "stopped" | "lost") {
  if (kind === "ready") return { kind, backend: "wasm", reason: "", problem: null, pid: 0 } as const;
  return kind === "lost" ? { kind, reason: "the network's process was lost" } : { kind };
}

/** Adds the sentence that explains a decision. */
const explained =
  <Input, Decision extends object>(decide: (input: Input) => Decision, explain: (decision: Decision) => string) =>
  (input: Input) => {
    const decision = decide(input);
    return { ...decision, reason: explain(decision) };
  };

/** Decisions about forecasting and training. */
export const forecastDecisions: Readonly<Record<string, DecisionEntry>> = {
  champion: decisionEntry("which forecasting model serves", ChampionInput, explained(decideChampion, explainChampion)),
  "forecast-model": decisionEntry(
    "whether the network forecasts, or what does in its place",
    ForecastModelInput,
    explained(
      ({ worker, ...situation }) => decideForecastModel({ ...situation, worker: workerState(worker) }),
      explainForecastModel,
    ),
  ),
  "forecast-shares": decisionEntry("with which weights forecasts are averaged", SharesInput, ({ costs, sharpness }) =>
    [...decideShares(costs, sharpness)].map(([name, share]) => ({ name, share })),
  ),
  "forecast-outcome": decisionEntry(
    "what a forecast was worth, now that its time has come",
    ForecastOutcomeInput,
    ({ made, actual }) => {
      const outcome = decideForecastOutcome(made, actual);
      return outcome === null ? null : { ...outcome, reason: explainForecastOutcome(outcome, made.levelQps) };
    },
  ),
  "forecast-restart": decisionEntry(
    "when the forecasting process that was lost is started again",
    Type.Object({ failuresInRow: Type.Integer({ minimum: 1 }) }, strict),
    explained(({ failuresInRow }) => decideRestart(failuresInRow, forecastRestartPolicy), explainRestart),
  ),
  "training-step": decisionEntry(
    "whether training goes on after an epoch, and how fast",
    TrainingStepInput,
    explained(
      ({ before, epoch, validationLoss, patience }) =>
        decideTrainingStep(
          { ...before, bestValidationLoss: before.bestValidationLoss ?? Number.POSITIVE_INFINITY },
          epoch,
          validationLoss,
          patience,
        ),
      explainTrainingStep,
    ),
  ),
  "night-training": decisionEntry(
    "whether a device trains its model now",
    NightTrainingInput,
    explained(decideNightTraining, explainNightTraining),
  ),
  promotion: decisionEntry(
    "whether a newly trained model takes over",
    PromotionInput,
    explained(decidePromotion, explainPromotion),
  ),
};
