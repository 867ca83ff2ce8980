import { decidePowerMode } from "#agent/power/mode/decide-power-mode.ts";
import { withReason } from "#agent/power/mode/explain-power-mode.ts";
import { decideSoleController } from "#controller/broker/decide-sole-controller.ts";
import { explainSoleController } from "#controller/broker/explain-sole-controller.ts";
import { decideActiveAgents } from "#controller/scaling/active-agents/decide-active-agents.ts";
import { decideMachine } from "#controller/scaling/actuators/decide-machine.ts";
import { decideFleetPlan } from "#controller/scaling/fleet-plan/decide-fleet-plan.ts";
import { checkFleetPlanInput, FleetPlanInput } from "#controller/scaling/fleet-plan/fleet-plan-input.ts";
import { loadHighsSolver } from "#controller/scaling/fleet-plan/milp/highs-solver.ts";
import { decideActOutcome } from "#controller/scaling/loop/decide-act-outcome.ts";
import { decideDisruptionBudget } from "#controller/scaling/loop/decide-disruption-budget.ts";
import { DisruptionBudgetInput } from "#controller/scaling/loop/disruption-budget.ts";
import { decideScaling } from "#controller/scaling/policy/decide-scaling.ts";
import { decidePrediction } from "#controller/scaling/policy/prediction/decide-prediction.ts";
import { checkPredictionInput, PredictionInput } from "#controller/scaling/policy/prediction/prediction-rules.ts";
import { parseScalingInput, ScalingInput } from "#controller/scaling/policy/scaling-input.ts";
import { decideSchedules } from "#controller/scaling/policy/schedules/decide-schedules.ts";
import { checkScheduleInput, ScheduleInput } from "#controller/scaling/policy/schedules/schedule-input.ts";
import { decideTriggers } from "#controller/scaling/policy/triggers/decide-triggers.ts";
import { checkTriggerInput, TriggerInput } from "#controller/scaling/policy/triggers/trigger-input.ts";
import {
  CheapestFleetInput,
  checkCheapestFleetInput,
} from "#controller/scaling/reference/cheapest-fleet/cheapest-fleet-input.ts";
import { decideCheapestFleet } from "#controller/scaling/reference/cheapest-fleet/decide-cheapest-fleet.ts";
import { decideReplicas } from "#controller/scaling/reference/hpa/decide-replicas.ts";
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
  async (input) => decideFleetPlan(input, await loadHighsSolver()),
  checkFleetPlanInput,
);
const cheapestFleet = decisionEntry(
  "which types of instance to buy for a mix of requests, at least cost",
  CheapestFleetInput,
  async (input) => decideCheapestFleet(input, await loadHighsSolver()),
  checkCheapestFleetInput,
);
const listsTypes = (input: unknown) =>
  [input]
    .flat()
    .every((each) => typeof each === "object" && each !== null && "types" in each && !("devices" in each)) &&
  [input].flat().length > 0;

function answerScaling(input: unknown, source: string) {
  const { policy, ...observation } = parseScalingInput(input, source);
  return decideScaling(policy, observation);
}

/** Every decision that `thormesh decide` knows. */
export const decisions: Readonly<Record<string, DecisionEntry>> = {
  replicas: decisionEntry(
    "how many replicas, by the rules of Kubernetes' HPA v2",
    ReplicaInputs,
    decideReplicas,
    checkReplicaInputs,
  ),
  schedules: decisionEntry(
    "how many replicas the schedules allow at a time",
    ScheduleInput,
    ({ schedules, nowMs }) => decideSchedules(schedules, nowMs),
    checkScheduleInput,
  ),
  triggers: decisionEntry(
    "how many replicas metrics from outside ask for, by KEDA's rules",
    TriggerInput,
    ({ policy, ...observation }) => decideTriggers(policy, observation),
    checkTriggerInput,
  ),
  prediction: decisionEntry(
    "how many replicas a forecast asks for",
    PredictionInput,
    decidePrediction,
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
    "what of a list of changes a minute may see, by a disruption budget",
    DisruptionBudgetInput,
    decideDisruptionBudget,
  ),
  "active-agents": decisionEntry(
    "which agents of a fleet serve and which stand by",
    ActiveAgentsInput,
    ({ fleet, policy, nowMs }) => decideActiveAgents(fleet, policy, nowMs),
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
    ({ look, times, nowMs }) => decideMachine(look, times, nowMs),
  ),
  "act-outcome": decisionEntry(
    "what came of what an agent was told, by its own report",
    ActOutcomeInput,
    ({ told, evidence, confirmWithinMs, nowMs }) => decideActOutcome(told, evidence, confirmWithinMs, nowMs),
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
