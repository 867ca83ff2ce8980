import type { SleepDecision } from "./decide-sleep.ts";

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

export function explainSleep(decision: SleepDecision): string {
  switch (decision.rule) {
    case "idle":
      return `on standby for ${seconds(decision.standbyMs)} with nothing to do`;
    case "no-command":
      return "no command to suspend the device is configured";
    case "role":
      return `its role is ${decision.role}`;
    case "board-in-use":
      return decision.use;
    case "in-flight":
      return `${decision.requests} requests are in flight`;
    case "no-controller":
      return "no controller is online that could ask for it again";
    case "no-peer":
      return "no other agent serves and could wake it";
    case "unsent":
      return `${decision.records} records must be sent first`;
    case "too-soon":
      return `on standby for only ${seconds(decision.standbyMs)} of ${seconds(decision.afterMs)}`;
    default:
      return decision satisfies never;
  }
}
