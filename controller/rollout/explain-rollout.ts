import type { RolloutDecision, WaitRule } from "./decide-rollout.ts";
import type { KeptRollout } from "./rollout-schemas.ts";

function waitToText(rule: WaitRule, { plan, state }: KeptRollout, waveText: string): string {
  switch (rule) {
    case "not-running":
      return `the roll-out is ${state}`;
    case "window":
      return `${waveText} waits for its window`;
    case "soak":
      return `${waveText} begins ${plan.soakS} s after the previous one`;
    case "under-way":
      return `${waveText}: updates are in progress`;
    case "capacity":
      return `${waveText} waits, because too few agents would keep serving`;
    case "absent":
      return "offline agents get the order when they come back";
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
      return `every agent that may be updated runs ${version} or has rolled back`;
    case "halt":
      return decision.rule === "failures"
        ? `halted: more than ${plan.maxFailures} agent(s) rolled ${version} back`
        : `halted: the fleet uses its error budget faster than ${plan.maxBurnRate} times`;
    case "wait":
      return waitToText(decision.rule, rollout, waveText);
    default:
      return decision satisfies never;
  }
}
