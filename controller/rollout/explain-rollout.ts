import type { RolloutDecision, WaitRule } from "./decide-rollout.ts";
import type { KeptRollout } from "./rollout-schemas.ts";

function waitToText(rule: WaitRule, { plan, state }: KeptRollout, waveText: string): string {
  switch (rule) {
    case "not-running":
      return `the roll-out is ${state}`;
    case "window":
      return `${waveText} waits for its window`;
    case "soak":
      return `${waveText} begins ${plan.soakS} s after the one before`;
    case "under-way":
      return `${waveText}: updates are under way`;
    case "capacity":
      return `${waveText} waits, as too few agents would go on serving`;
    case "absent":
      return "agents that are offline are told when they come back";
    default:
      return rule satisfies never;
  }
}

/** Sentence on the next step of a roll-out. */
export function explainRollout(decision: RolloutDecision, rollout: KeptRollout): string {
  const { plan, wave } = rollout;
  const { version, waves } = plan;
  const waveText = `wave ${wave + 1} of ${waves.length}`;
  switch (decision.kind) {
    case "tell":
      return `${waveText}: ${decision.agentIds.join(", ")} told to run ${version}`;
    case "next-wave":
      return `${waveText} is over`;
    case "done":
      return `every agent that may be updated has ${version} or has given it up`;
    case "halt":
      return decision.rule === "failures"
        ? `halted: more than ${plan.maxFailures} agent(s) gave ${version} up`
        : `halted: the fleet uses its error budget faster than ${plan.maxBurnRate} times`;
    case "wait":
      return waitToText(decision.rule, rollout, waveText);
    default:
      return decision satisfies never;
  }
}
