import type { MachineDecision } from "./decide-machine.ts";

const secondsToText = (ms: number) => `${Math.round(ms / 1000)} s`;

/** Explains what is done with a machine. */
export function explainMachine({ rule, askedAgoMs, restsMs }: MachineDecision): string {
  const switchedOn = `its machine was switched on ${secondsToText(askedAgoMs)} ago`;
  switch (rule) {
    case "serving":
    case "on-standby":
      return "it is there";
    case "switch-on":
      return "it is to serve and its machine is off";
    case "starting":
      return switchedOn;
    case "late":
      return `${switchedOn} and it has not come: again`;
    case "off":
      return "its machine is off";
    case "stopping":
      return "it is being switched off";
    case "switch-off":
      return `it has been on standby for ${secondsToText(restsMs)}`;
    default:
      return rule satisfies never;
  }
}

/** Explains why an agent can't be counted on because of its machine; null when it can. */
export function explainUnavailable({
  unavailable,
  attempts,
  askedAgoMs,
  failedAgoMs,
}: Pick<MachineDecision, "unavailable" | "attempts" | "askedAgoMs" | "failedAgoMs">): string | null {
  const switchedOn = `its machine was switched on ${secondsToText(askedAgoMs)} ago`;
  switch (unavailable) {
    case "late":
      return `${switchedOn} and it has not come`;
    case "retrying":
      return `${switchedOn}, attempt ${attempts}`;
    case "failed-lately":
      return `its machine failed to start ${secondsToText(failedAgoMs)} ago`;
    case null:
      return null;
    default:
      return unavailable satisfies never;
  }
}
