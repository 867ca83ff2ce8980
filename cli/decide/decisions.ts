import { Type } from "@sinclair/typebox";
import { decideRoute } from "#agent/mesh/routing/decide-route.ts";
import { explainRoute } from "#agent/mesh/routing/explain-route.ts";
import { RouteInput } from "#agent/mesh/routing/route-input.ts";
import { decidePowerMode, PowerModeInputs } from "#agent/power/mode/decide-power-mode.ts";
import { withReason } from "#agent/power/mode/explain-power-mode.ts";
import { decideSleep, SleepInputs } from "#agent/power/sleep/decide-sleep.ts";
import { explainSleep } from "#agent/power/sleep/explain-sleep.ts";
import { AdmissionInput, decideAdmission } from "#agent/serving/admission/decide-admission.ts";
import { explainAdmission } from "#agent/serving/admission/explain-admission.ts";
import { decideSavings } from "#controller/cost/savings/decide-savings.ts";
import { explainSaving } from "#controller/cost/savings/explain-savings.ts";
import { SavingsInput } from "#controller/cost/savings/savings-input.ts";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { explainActiveAgents } from "#controller/scaling/active-agents/explain-active-agents.ts";
import { ScalingInputs } from "#controller/scaling/active-agents/scaling-inputs.ts";
import { decideFleetPlan, defaultPlanLimits } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { explainFleetPlan } from "#controller/scaling/fleet-plan/explain-fleet-plan.ts";
import { checkFleetPlanInput, FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { decideDisruptionBudget } from "#controller/scaling/loop/decide-disruption-budget.ts";
import { DisruptionBudgetInput } from "#controller/scaling/loop/disruption-budget.ts";
import { explainDeferredAct } from "#controller/scaling/loop/explain-disruption-budget.ts";
import { ScalingConfig } from "#controller/scaling/loop/scaling-config.ts";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { explainScaling } from "#controller/scaling/policy/explain-scaling.ts";
import { decidePrediction } from "#controller/scaling/policy/prediction/decide-prediction.ts";
import { explainPrediction } from "#controller/scaling/policy/prediction/explain-prediction.ts";
import { checkPredictionInput, PredictionInput } from "#controller/scaling/policy/prediction/prediction-rules.ts";
import { parseScalingInput, ScalingInput } from "#controller/scaling/policy/scaling-input.ts";
import { decideSchedules } from "#controller/scaling/policy/schedules/decide-schedules.ts";
import { explainSchedules } from "#controller/scaling/policy/schedules/explain-schedules.ts";
import { checkScheduleInput, ScheduleInput } from "#controller/scaling/policy/schedules/schedule.ts";
import { decideTriggers } from "#controller/scaling/policy/triggers/decide-triggers.ts";
import { explainTriggers } from "#controller/scaling/policy/triggers/explain-triggers.ts";
import { checkTriggerInput, TriggerInput } from "#controller/scaling/policy/triggers/trigger-input.ts";
import {
  CheapestFleetInput,
  checkCheapestFleetInput,
} from "#controller/scaling/reference/cheapest-fleet/cheapest-fleet-input.ts";
import { decideCheapestFleet } from "#controller/scaling/reference/cheapest-fleet/decide-cheapest-fleet.ts";
import { explainCheapestFleet } from "#controller/scaling/reference/cheapest-fleet/explain-cheapest-fleet.ts";
import { decideReplicas } from "#controller/scaling/reference/hpa/decide-replicas.ts";
import { explainProposal, explainReplicas } from "#controller/scaling/reference/hpa/explain-replicas.ts";
import { checkReplicaInputs, ReplicaInputs } from "#controller/scaling/reference/hpa/replica-inputs.ts";
import { decideRightSize } from "#controller/scaling/reference/vpa/decide-right-size.ts";
import { checkRightSizeInput, rightSizeInputs } from "#controller/scaling/reference/vpa/right-size-inputs.ts";
import { decideNightTraining, TrainingSituation } from "#forecast/night/decide-night-training.ts";
import { decidePromotion, PromotionSituation } from "#forecast/night/decide-promotion.ts";
import { explainNightTraining, explainPromotion } from "#forecast/night/explain-night-training.ts";
import { AllocationInput, answerAllocation, checkAllocationInput } from "./allocation-entry.ts";
import { answerBill, BillInput, checkBillInput } from "./bill-entry.ts";
import { type DecisionEntry, decisionByKind, decisionEntry, explained } from "./decision-entry.ts";
import { answerWindow, checkWindowInput, WindowInput } from "./window-entry.ts";

const rightSizeEntries = Object.fromEntries(
  Object.entries(rightSizeInputs).map(([kind, schema]) => [
    kind,
    decisionEntry(kind, schema, decideRightSize, checkRightSizeInput),
  ]),
);

/** No controller waits for the answer, so a busy machine need not get a worse plan than an idle one. */
const unhurried = { ...defaultPlanLimits, maxIterations: 20_000 };
const fleetPlan = decisionEntry(
  "which devices serve, in which mode, and how much cloud capacity to rent for the next steps, at least cost",
  FleetPlanInput,
  async (input) => {
    const { findings, method, ...plan } = decideFleetPlan(input, await loadHighsSolver(), unhurried);
    return { ...plan, reasons: explainFleetPlan({ ...plan, findings, method }, input) };
  },
  checkFleetPlanInput,
);
const cheapestFleet = decisionEntry(
  "which instance types to buy for a mix of requests, at least cost",
  CheapestFleetInput,
  async (input) => {
    const { obstacles, ...fleet } = decideCheapestFleet(input, await loadHighsSolver());
    return { ...fleet, reasons: explainCheapestFleet({ ...fleet, obstacles }) };
  },
  checkCheapestFleetInput,
);
const listsTypes = (input: unknown) =>
  [input]
    .flat()
    .every((each) => typeof each === "object" && each !== null && "types" in each && !("devices" in each)) &&
  [input].flat().length > 0;

function answerScaling(input: unknown, source: string) {
  const { policy, ...observation } = parseScalingInput(input, source);
  const decision = decideScaling(policy, observation);
  return { ...decision, reason: explainScaling(decision, policy, observation) };
}

function answerReplicas(input: ReplicaInputs) {
  const decision = decideReplicas(input);
  return {
    ...decision,
    reason: explainReplicas(decision, input.policy, input.currentReplicas),
    proposals: decision.proposals.map((each) => ({ ...each, reason: explainProposal(each, each.metric) })),
  };
}

/** Decisions that an operator can replay from a file. */
export const decisions: Readonly<Record<string, DecisionEntry>> = {
  replicas: decisionEntry(
    "how many replicas to run, by the rules of Kubernetes' HPA v2",
    ReplicaInputs,
    answerReplicas,
    checkReplicaInputs,
  ),
  schedules: decisionEntry(
    "how many replicas a policy's schedules allow at a given time",
    ScheduleInput,
    explained(
      ({ schedules, nowMs }) => decideSchedules(schedules, nowMs),
      (decision, { schedules }) => explainSchedules(decision, schedules),
    ),
    checkScheduleInput,
  ),
  triggers: decisionEntry(
    "how many replicas external metrics ask for, by KEDA's rules",
    TriggerInput,
    ({ policy, ...observation }) => {
      const decision = decideTriggers(policy, observation);
      return { ...decision, reason: explainTriggers(decision, policy, observation) };
    },
    checkTriggerInput,
  ),
  prediction: decisionEntry(
    "how many replicas a forecast asks for",
    PredictionInput,
    explained(decidePrediction, (decision, { policy, forecast }) => explainPrediction(decision, policy, forecast)),
    checkPredictionInput,
  ),
  scaling: {
    summary: "how many replicas a scaling policy asks for, and each rule's contribution",
    schema: ScalingInput,
    answer: (input, source) =>
      Array.isArray(input)
        ? input.map((each, index) => answerScaling(each, `${source}, item ${index},`))
        : answerScaling(input, source),
  },
  budget: decisionEntry(
    "which of several changes the disruption budget allows this minute",
    DisruptionBudgetInput,
    (input) => {
      const { deferred, ...decision } = decideDisruptionBudget(input);
      return {
        ...decision,
        deferred: deferred.map((act) => ({ ...act, reason: explainDeferredAct(act, input) })),
      };
    },
  ),
  "active-agents": decisionEntry(
    "which agents serve and which are on standby",
    Type.Object({ policy: ScalingConfig, fleet: ScalingInputs, nowMs: Type.Number() }, { additionalProperties: false }),
    explained(
      ({ fleet, policy, nowMs }) => decideActiveAgents(fleet, policy, nowMs),
      (decision, { fleet: inputs, policy, nowMs }) =>
        explainActiveAgents(decision, { inputs, policy, nowMs, limitsOf: null }),
    ),
  ),
  "fleet-plan": {
    ...fleetPlan,
    // A plan of purchases is also one: it has types where this has devices.
    answer: (input, source) => (listsTypes(input) ? cheapestFleet : fleetPlan).answer(input, source),
  },
  "cheapest-fleet": cheapestFleet,
  "right-size": decisionByKind("how much CPU and memory to request, by the rules of Kubernetes' VPA", rightSizeEntries),
  "power-mode": decisionEntry("which power mode a board should use", PowerModeInputs, (input) =>
    withReason(decidePowerMode(input)),
  ),
  sleep: decisionEntry("whether a device on standby goes to sleep", SleepInputs, explained(decideSleep, explainSleep)),
  admission: decisionEntry(
    "whether a request is accepted, or must wait or be refused",
    AdmissionInput,
    explained(({ request, queue, limits }) => decideAdmission(request, queue, limits), explainAdmission),
  ),
  route: decisionEntry(
    "which backend answers a request: this agent, a peer, or an offer outside the fleet",
    RouteInput,
    explained(decideRoute, explainRoute),
  ),
  allocation: decisionEntry(
    "how a fleet's cost is allocated by tenant, model, agent, region or label, with idle and shared costs",
    AllocationInput,
    answerAllocation,
    checkAllocationInput,
  ),
  savings: decisionEntry(
    "how to spend less on devices, models and outside services, each with evidence, yearly amount, risk and effort",
    SavingsInput,
    (input) => decideSavings(input).map((saving) => ({ ...saving, reason: explainSaving(saving) })),
  ),
  bill: decisionEntry(
    "a bill before and after a change, and which of its stated sums don't add up",
    BillInput,
    answerBill,
    checkBillInput,
  ),
  window: decisionEntry("which period a cost query's window covers", WindowInput, answerWindow, checkWindowInput),
  "night-training": decisionEntry(
    "whether a device trains its forecasting model now",
    TrainingSituation,
    explained(decideNightTraining, explainNightTraining),
  ),
  promotion: decisionEntry(
    "whether a newly trained model replaces the one in service",
    PromotionSituation,
    explained(decidePromotion, explainPromotion),
  ),
};
