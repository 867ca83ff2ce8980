import type { MachineDecision } from "./decide-machine.ts";

const secondsToText = (ms: number) => `${Math.round(ms / 1000)} s`;

export function explainMachine({ rule, askedAgoMs, restsMs }: MachineDecision): string {
  const switchedOn = `its machine was switched on ${secondsToText(askedAgoMs)} ago`;
  return {
    serving: "it is online",
    "on-standby": "it is online",
    "switch-on": "it should serve and its machine is off",
    starting: switchedOn,
    late: `${switchedOn} and it is not online: trying again`,
    off: "its machine is off",
    stopping: "it is being switched off",
    "switch-off": `it has been on standby for ${secondsToText(restsMs)}`,
  }[rule];
}

/** Explains why an agent can't be counted on because of its machine; null when it can. */
export function explainUnavailable(decision: MachineDecision): string | null {
  const { unavailable, attempts, askedAgoMs, failedAgoMs } = decision;
  const switchedOn = `its machine was switched on ${secondsToText(askedAgoMs)} ago`;
  if (unavailable === null) return null;
  return {
    late: `${switchedOn} and it is not online`,
    retrying: `${switchedOn}, attempt ${attempts}`,
    "failed-lately": `its machine failed to start ${secondsToText(failedAgoMs)} ago`,
  }[unavailable];
}
