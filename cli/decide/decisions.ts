import { decidePowerMode } from "#agent/power/mode/decide-power-mode.ts";
import { withReason } from "#agent/power/mode/explain-power-mode.ts";
import { decideSoleController } from "#controller/broker/decide-sole-controller.ts";
import { explainSoleController } from "#controller/broker/explain-sole-controller.ts";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { explainActiveAgents } from "#controller/scaling/active-agents/explain-active-agents.ts";
import { decideMachine } from "#controller/scaling/actuators/decide-machine.ts";
import { explainMachine, explainUnavailable } from "#controller/scaling/actuators/explain-machine.ts";
import { decideFleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { explainFleetPlan } from "#controller/scaling/fleet-plan/explain-fleet-plan.ts";
import { checkFleetPlanInput, FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { decideActOutcome } from "#controller/scaling/loop/decide-act-outcome.ts";
import { decideDisruptionBudget } from "#controller/scaling/loop/decide-disruption-budget.ts";
import { DisruptionBudgetInput } from "#controller/scaling/loop/disruption-budget.ts";
import { explainLateAct } from "#controller/scaling/loop/explain-act-outcome.ts";
import { explainDeferredAct } from "#controller/scaling/loop/explain-disruption-budget.ts";
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
import { ActOutcomeInput } from "./act-outcome-input.ts";
import { ActiveAgentsInput } from "./active-agents-input.ts";
import { type DecisionEntry, decisionByKind, decisionEntry } from "./decision-entry.ts";
import { deviceDecisions } from "./device-decisions.ts";
import { forecastDecisions } from "./forecast-decisions.ts";
import { MachineInput } from "./machine-input.ts";
import { PowerModeInput } from "./power-mode-input.ts";
import { servingDecisions } from "./serving-decisions.ts";
import { SoleControllerInput } from "./sole-controller-input.ts";
import { toolDecisions } from "./tool-decisions.ts";

const rightSizeEntries = Object.fromEntries(
  Object.entries(rightSizeInputs).map(([kind, schema]) => [
    kind,
    decisionEntry(kind, schema, decideRightSize, checkRightSizeInput),
  ]),
);

const fleetPlan = decisionEntry(
  "which devices serve in which mode, and how much cloud, for the next steps at least cost",
  FleetPlanInput,
  async (input) => {
    const { findings, method, ...plan } = decideFleetPlan(input, await loadHighsSolver());
    return { ...plan, reasons: explainFleetPlan({ ...plan, findings, method }, input) };
  },
  checkFleetPlanInput,
);
const cheapestFleet = decisionEntry(
  "which types of instance to buy for a mix of requests, at least cost",
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

/** Every decision that `thormesh decide` knows. */
export const decisions: Readonly<Record<string, DecisionEntry>> = {
  replicas: decisionEntry(
    "how many replicas, by the rules of Kubernetes' HPA v2",
    ReplicaInputs,
    answerReplicas,
    checkReplicaInputs,
  ),
  schedules: decisionEntry(
    "how many replicas the schedules allow at a time",
    ScheduleInput,
    ({ schedules, nowMs }) => {
      const decision = decideSchedules(schedules, nowMs);
      return { ...decision, reason: explainSchedules(decision, schedules) };
    },
    checkScheduleInput,
  ),
  triggers: decisionEntry(
    "how many replicas metrics from outside ask for, by KEDA's rules",
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
    (input) => {
      const decision = decidePrediction(input);
      return { ...decision, reason: explainPrediction(decision, input.policy, input.forecast) };
    },
    checkPredictionInput,
  ),
  scaling: {
    summary: "how many replicas a ScalingPolicy wants, with everything that went into it",
    schema: ScalingInput,
    answer: (input, source) =>
      Array.isArray(input)
        ? input.map((each, index) => answerScaling(each, `${source}, item ${index},`))
        : answerScaling(input, source),
  },
  budget: decisionEntry(
    "which of these changes the disruption budget allows this minute",
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
    "which agents of a fleet serve and which stand by",
    ActiveAgentsInput,
    ({ fleet, policy, nowMs }) => {
      const decision = decideActiveAgents(fleet, policy, nowMs);
      return {
        ...decision,
        reason: explainActiveAgents(decision, { inputs: fleet, policy, nowMs, limitsOf: null }),
      };
    },
  ),
  "fleet-plan": {
    ...fleetPlan,
    // A plan of what to buy is one, too: it has types where this has devices.
    answer: (input, source) => (listsTypes(input) ? cheapestFleet : fleetPlan).answer(input, source),
  },
  "cheapest-fleet": cheapestFleet,
  "right-size": decisionByKind("one step of sizing a replica, by the rules of Kubernetes' VPA", rightSizeEntries),
  "power-mode": decisionEntry("which power mode a board should be in", PowerModeInput, (input) =>
    withReason(decidePowerMode(input)),
  ),
  machine: decisionEntry(
    "whether the machine of an agent is switched on or off",
    MachineInput,
    ({ look, times, nowMs }) => {
      const decision = decideMachine(look, times, nowMs);
      const { rule, ask } = decision;
      const unavailable = explainUnavailable(decision);
      return { rule, ask, failed: rule === "late", unavailable, reason: explainMachine(decision) };
    },
  ),
  "act-outcome": decisionEntry(
    "what came of what an agent was told, by its own report",
    ActOutcomeInput,
    ({ told, evidence, confirmWithinMs, nowMs }) => {
      const outcome = decideActOutcome(told, evidence, confirmWithinMs, nowMs);
      return outcome.kind === "late" ? { ...outcome, reason: explainLateAct(told, outcome) } : outcome;
    },
  ),
  "sole-controller": decisionEntry(
    "which of two controllers goes on at a broker they share",
    SoleControllerInput,
    ({ own, other, nowMs }) => {
      const decision = decideSoleController(own, other, nowMs);
      return { ...decision, reason: explainSoleController(decision) };
    },
  ),
  ...deviceDecisions,
  ...servingDecisions,
  ...forecastDecisions,
  ...toolDecisions,
};
