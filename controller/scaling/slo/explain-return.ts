import { durationToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import { secondMs } from "#platform/time.ts";
import type { ReturnDecision, WatchedChange } from "./decide-return.ts";

const whatToText: Readonly<Record<WatchedChange["kind"], string>> = {
  "scale-in": "agents were put on standby",
  "lower-modes": "power modes were lowered",
  policy: "the scaling policy changed",
};

/** Explains a return in a sentence; `missed` says what users were not given. */
export function explainReturn(decision: ReturnDecision, missed: string | null): string {
  const { kinds, activate, modes, burn, burnBefore, afterMs, holdOff } = decision;
  const what = listToText(kinds.map((kind) => whatToText[kind]));
  const ago = durationToText(afterMs / secondMs);
  const felt = missed ?? "the SLO is being missed";
  const back = [
    ...(activate.length > 0 ? [`switch on ${listToText(activate)} again`] : []),
    ...modes.map(({ agentId, mode }) => `${agentId} back to ${mode}`),
    ...(kinds.includes("policy") ? ["the previous policy is in force again until its file changes"] : []),
  ];
  return `${felt}, since ${what} ${ago} ago (error budget used at ${qpsToText(burn)} times the allowed rate, before ${qpsToText(burnBefore)}) -> ${back.join(", ")}; no capacity is removed for ${durationToText(holdOff.lengthMs / secondMs)}`;
}
