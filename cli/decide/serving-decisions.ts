import { type Static, Type } from "@sinclair/typebox";
import { decideAdmission } from "#agent/serving/admission/decide-admission.ts";
import { explainAdmission } from "#agent/serving/admission/explain-admission.ts";
import { decideBatch } from "#agent/serving/batching/decide-batch.ts";
import { decideLane } from "#agent/serving/batching/decide-lane.ts";
import { decideLanePlan } from "#agent/serving/batching/decide-lane-plan.ts";
import { explainBatch, explainLane, explainLanePlan } from "#agent/serving/batching/explain-batching.ts";
import { decideOnnxFile } from "#agent/serving/models/decide-onnx-file.ts";
import { explainOnnxFile } from "#agent/serving/models/explain-onnx-file.ts";
import { ModelManifest } from "#agent/serving/models/model-manifest.ts";
import { modelSettings } from "#agent/serving/models/model-settings.ts";
import { decideProviders } from "#agent/serving/onnxruntime/decide-providers.ts";
import { decideWarmUp } from "#agent/serving/onnxruntime/decide-warm-up.ts";
import { engineConfig } from "#agent/serving/onnxruntime/engine-options.ts";
import { ExecutionProvider } from "#agent/serving/onnxruntime/execution-provider.ts";
import { decideEvictions, decideLoad } from "#agent/serving/residency/decide-eviction.ts";
import { explainEviction, explainLoad } from "#agent/serving/residency/explain-eviction.ts";
import { ServingConfig } from "#agent/serving/serving-config.ts";
import { decidePairLengths } from "#agent/serving/text/decide-pair-lengths.ts";
import { decideBatchDeadline } from "#agent/serving/worker/decide-batch-deadline.ts";
import { decideModelIo } from "#agent/serving/worker/decide-model-io.ts";
import { explainBatchDeadline } from "#agent/serving/worker/explain-batch-deadline.ts";
import { explainModelIo } from "#agent/serving/worker/explain-model-io.ts";
import { decideRestart, modelRestartPolicy } from "#platform/process/decide-restart.ts";
import { explainRestart } from "#platform/process/explain-restart.ts";
import { type DecisionEntry, decisionEntry, explained } from "./decision-entry.ts";
import { OnnxChoiceInput } from "./onnx-choice-input.ts";

const strict = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0 });
const Positive = Type.Integer({ minimum: 1 });
const amountOrNull = Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { default: null });

const Held = Type.Object(
  {
    requests: Type.Integer({ minimum: 0, default: 0 }),
    texts: Type.Integer({ minimum: 0, default: 0 }),
    tokens: Type.Integer({ minimum: 0, default: 0 }),
    bytes: Type.Integer({ minimum: 0, default: 0 }),
  },
  { ...strict, default: {} },
);
const AdmissionInput = Type.Object(
  {
    request: Type.Object(
      { texts: Count, bytes: Type.Integer({ minimum: 0, default: 0 }), latencyBudgetMs: amountOrNull },
      strict,
    ),
    queue: Type.Object(
      {
        held: { ...Held, description: "what waits, of all tenants" },
        own: { ...Held, description: "of that, the request's tenant's" },
        share: Type.Number({
          minimum: 0,
          maximum: 1,
          default: 1,
          description: "of each limit, what the tenant has a right to; 1 where there is no other",
        }),
        openRequests: Type.Integer({ minimum: 0, default: 0, description: "for the same model, not answered" }),
        expectedWaitMs: amountOrNull,
        computeMs: amountOrNull,
        drainMs: amountOrNull,
      },
      { ...strict, default: {} },
    ),
    limits: Type.Pick(
      ServingConfig,
      ["queueRequests", "queueTexts", "queueTokens", "queueBytes", "queueMs", "requestTimeoutMs"],
      { ...strict, default: {} },
    ),
  },
  strict,
);

const PadTo = Type.Union([Type.Literal("longest"), Type.Array(Positive, { minItems: 1 })], { default: "longest" });
const BatchPolicy = Type.Object(
  {
    maxTokens: Type.Integer({ minimum: 1, default: 256 }),
    maxTexts: Type.Integer({ minimum: 1, default: 32 }),
    padTo: PadTo,
  },
  { ...strict, default: {} },
);
const BatchInput = Type.Object(
  { waiting: Type.Array(Type.Object({ tokens: Positive }, strict)), policy: BatchPolicy },
  strict,
);

const LaneInput = Type.Object(
  {
    lanes: Type.Array(
      Type.Object(
        {
          kind: Type.Union([Type.Literal("wide"), Type.Literal("narrow")]),
          ready: Type.Boolean({ default: true }),
          batches: Type.Integer({ minimum: 0, default: 0 }),
          mostBatches: Type.Integer({ minimum: 1, default: 1 }),
        },
        strict,
      ),
    ),
    longLine: Type.Boolean({ default: false }),
    fullBatchWaits: Type.Boolean({ default: false }),
    owed: Type.Boolean({
      default: false,
      description: "what waits first is a tenant's that has had less than its share",
    }),
  },
  strict,
);

const { precision: _precision, threads: _threads, ...lineSettings } = modelSettings;
const LanePlanInput = Type.Object(
  {
    settings: Type.Object(
      {
        threads: Positive,
        oneThreadProcesses: { ...lineSettings.oneThreadProcesses, default: null },
        batchTokens: { ...lineSettings.batchTokens, default: null },
        batchTexts: { ...lineSettings.batchTexts, default: null },
        paddedLengths: { ...lineSettings.paddedLengths, default: null },
      },
      strict,
    ),
    computesOnGpu: Type.Boolean({ default: false }),
    processBytes: Type.Number({ minimum: 0 }),
  },
  strict,
);

const Resident = Type.Object(
  {
    id: Type.String({ minLength: 1 }),
    bytes: Count,
    lastUsedMs: Type.Number({ default: 0 }),
    busy: Type.Boolean({ default: false }),
    pinned: Type.Boolean({ default: false }),
    leaving: Type.Boolean({ default: false }),
  },
  strict,
);
const asResident = ({ leaving, ...model }: Static<typeof Resident>) => ({ ...model, evicting: leaving });
const Residents = Type.Array(Resident, { default: [] });
const LoadInput = Type.Object(
  {
    need: Type.Object({ bytes: Count, pinned: Type.Boolean({ default: false }) }, strict),
    residents: Residents,
    budgetBytes: Count,
  },
  strict,
);
const EvictionsInput = Type.Object(
  {
    residents: Residents,
    limits: Type.Object({ budgetBytes: Count, keepAliveMs: amountOrNull }, strict),
    nowMs: Type.Number(),
  },
  strict,
);

const OnnxFileInput = Type.Object(
  {
    files: ModelManifest.properties.onnx,
    choice: OnnxChoiceInput,
  },
  strict,
);

const Tensors = Type.Array(
  Type.Object(
    {
      name: Type.String(),
      type: Type.String(),
      shape: Type.Array(Type.Union([Type.Number(), Type.String()]), { default: [] }),
    },
    strict,
  ),
);
const ModelIoInput = Type.Object(
  { inputs: Tensors, outputs: Tensors, dimension: Positive, pooledOnly: Type.Boolean({ default: false }) },
  strict,
);

/** Decisions on the way from texts to vectors. */
export const servingDecisions: Readonly<Record<string, DecisionEntry>> = {
  admission: decisionEntry(
    "whether a request for vectors may wait to be computed",
    AdmissionInput,
    ({ request, queue, limits }) => {
      const decision = decideAdmission(request, queue, limits);
      return { ...decision, reason: explainAdmission(decision) };
    },
  ),
  batch: decisionEntry("which of the waiting texts are computed together", BatchInput, ({ waiting, policy }) => {
    const decision = decideBatch(waiting, policy);
    return decision === null ? null : { ...decision, reason: explainBatch(decision) };
  }),
  lane: decisionEntry(
    "which of a model's processes computes the next batch",
    LaneInput,
    ({ lanes, longLine, fullBatchWaits, owed }) => {
      const views = lanes.map(({ mostBatches, ...lane }) => ({ ...lane, maxBatches: mostBatches }));
      const decision = decideLane(views, longLine, fullBatchWaits, owed);
      return { ...decision, reason: explainLane(decision.rule) };
    },
  ),
  "lane-plan": decisionEntry(
    "how many processes a model gets, and how large its batches are",
    LanePlanInput,
    ({ settings, computesOnGpu, processBytes }) => {
      const plan = decideLanePlan(settings, computesOnGpu, processBytes);
      return { ...plan, reason: explainLanePlan(plan.rule) };
    },
  ),
  "model-room": decisionEntry(
    "which models are evicted so that another one has memory",
    LoadInput,
    explained(
      ({ need, residents, budgetBytes }) => decideLoad(need, residents.map(asResident), budgetBytes),
      explainLoad,
    ),
  ),
  "model-departures": decisionEntry(
    "which models are evicted because they are unused, or because memory is short",
    EvictionsInput,
    ({ residents, limits, nowMs }) => {
      const { evictions, nextMs } = decideEvictions(residents.map(asResident), limits, nowMs);
      return { evictions: evictions.map((each) => ({ ...each, reason: explainEviction(each) })), nextMs };
    },
  ),
  "model-restart": decisionEntry(
    "when a model's process that was lost is started again",
    Type.Object({ failuresInRow: Positive }, strict),
    explained(({ failuresInRow }) => decideRestart(failuresInRow, modelRestartPolicy), explainRestart),
  ),
  "batch-deadline": decisionEntry(
    "how long a model's process may take for a batch before it is replaced",
    Type.Object(
      {
        tokens: Count,
        tokensPerMs: amountOrNull,
        provider: { ...ExecutionProvider, default: "cpu" },
        shortestMs: { ...ServingConfig.properties.batchTimeoutMs },
        suspect: Type.Boolean({ default: false }),
      },
      strict,
    ),
    explained(decideBatchDeadline, explainBatchDeadline),
  ),
  "model-io": decisionEntry(
    "how an ONNX file is fed, and which of its outputs counts",
    ModelIoInput,
    explained(({ inputs, outputs, ...what }) => decideModelIo(inputs, outputs, what), explainModelIo),
  ),
  "onnx-file": decisionEntry(
    "which of a model's ONNX files is loaded",
    OnnxFileInput,
    explained(({ files, choice }) => decideOnnxFile(files, choice), explainOnnxFile),
  ),
  providers: decisionEntry(
    "on what a model is computed, in the order in which it is tried",
    Type.Object(
      {
        wanted: engineConfig.executionProviders,
        present: Type.Array(Type.String(), { default: [], description: "files of the operator's ONNX Runtime" }),
      },
      strict,
    ),
    ({ wanted, present }) => decideProviders(wanted, present),
  ),
  "warm-up": decisionEntry(
    "which batches a GPU computes before the first request",
    Type.Object({ policy: BatchPolicy, maxTokens: Positive }, strict),
    ({ policy, maxTokens }) => decideWarmUp(policy, maxTokens),
  ),
  "pair-lengths": decisionEntry(
    "how much is kept of two texts that are read together",
    Type.Object({ first: Count, second: Count, room: Count }, strict),
    ({ first, second, room }) => decidePairLengths(first, second, room),
  ),
};
