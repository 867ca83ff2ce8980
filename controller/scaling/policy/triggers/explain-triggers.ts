import { explainReplicas } from "#controller/scaling/reference/hpa/explain-replicas.ts";
import type { TriggerDecision, TriggersAsked } from "./decide-triggers.ts";
import type { TriggerObservation } from "./trigger-input.ts";

export function explainTriggers(
  decision: TriggerDecision,
  policy: Pick<TriggersAsked, "minReplicas" | "maxReplicas">,
  { currentReplicas, lastActiveAgoS }: Pick<TriggerObservation, "currentReplicas" | "lastActiveAgoS">,
): string {
  const { rule, hpaRule, replicas, values, activeTriggers } = decision;
  switch (rule) {
    case "active": {
      const active = values.filter(({ name }) => activeTriggers.includes(name));
      return `active: ${active.map(({ name, value, activation }) => `${name} is ${value}, above ${activation}`).join("; ")}`;
    }
    case "fallback": {
      const first = values.find(({ fallbackReplicas }) => fallbackReplicas !== null);
      return `${first?.name} fails (${first?.fault}): the fallback asks for ${replicas}`;
    }
    case "unknown": {
      const faults = values.filter(({ counted }) => counted === null).map(({ name, fault }) => `${name}: ${fault}`);
      return `stays at ${replicas}, because a value is unknown: ${faults.join("; ")}`;
    }
    case "inactive":
      return `no trigger is active: ${replicas}`;
    case "cooled-down": {
      const since = lastActiveAgoS === null ? "" : ` for ${Math.floor(lastActiveAgoS)} s`;
      return `no trigger is active${since}, longer than the cooldown: ${replicas}`;
    }
    case "below-minimum":
      return `${currentReplicas} are fewer than the minimum of ${policy.minReplicas}`;
    case "values": {
      const limits = { minReplicas: Math.max(1, policy.minReplicas), maxReplicas: policy.maxReplicas };
      const byValues = explainReplicas({ ...decision, rule: hpaRule ?? "metric" }, limits, currentReplicas);
      const faults = values.flatMap(({ name, fault }) => (fault === null ? [] : [`; ${name}: ${fault}`]));
      return `${byValues}${faults.join("")}`;
    }
    default:
      return rule satisfies never;
  }
}
