import { countToText, listToText, qpsToText } from "../figures-to-text.ts";
import type { Effect, EffectVerdict, Serving } from "./decide-effect.ts";

const clockOf = (atMs: number) => `${new Date(atMs).toISOString().slice(11, 16)} UTC`;

const capacityToText = ({ agents, capacityQps }: Serving) =>
  agents === 0 ? "none" : `${agents} whose capacity is ${qpsToText(capacityQps)} texts/s`;

/** "for a forecast peak of 290 texts/s (p90) at 18:40 UTC": the rate that the rest is for. */
function demandToText({ peak, liveQps }: Effect): string {
  if (peak !== null && peak.qps >= (liveQps ?? 0))
    return `for a forecast peak of ${qpsToText(peak.qps)} texts/s (${peak.quantile}) at ${clockOf(peak.atMs)}`;
  if (liveQps !== null)
    return `for ${qpsToText(liveQps)} texts/s now${peak === null ? ", without a forecast" : ", more than is forecast"}`;
  return "and neither the present rate nor a forecast is known";
}

const verdicts: Readonly<Record<EffectVerdict, string>> = {
  enough: "",
  tight: "That is more load than planned for.",
  short: "That is too little: users will wait or be refused.",
  none: "Then no agent serves: every request is refused.",
  unknown: "",
};

function changesToText({ starts, stops, slows, named, before }: Effect): string {
  const parts = [
    stops.length === 0
      ? ""
      : `drains ${stops.length} of ${countToText(before.agents, "agent that serves", "agents that serve")}`,
    starts.length === 0 ? "" : `switches on ${starts.length}`,
    slows.length === 0 ? "" : `slows down ${slows.length}`,
  ].filter((part) => part !== "");
  if (parts.length > 0) return listToText(parts);
  return `does not change which agents serve (${countToText(named, "agent")})`;
}

const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Says in sentences what an operator's order does, and for which traffic. */
export function explainEffect(effect: Effect): string {
  const { kind, after, spare, unable, verdict, untilMs } = effect;
  const until =
    untilMs === null
      ? "until it is ended"
      : `until ${new Date(untilMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const rest = `${capacityToText(after)} ${demandToText(effect)}`;
  const first = {
    override: `${upper(changesToText(effect))} ${until}; leaves ${rest}.`,
    "end-override": `${countToText(effect.named, "agent")} ${effect.named === 1 ? "keeps its" : "keep their"} role until the controller's next decision, which may change it. Now ${after.agents === 1 ? "serves" : "serve"} ${rest}.`,
    freeze: `Nothing is switched on or off ${until}, whatever the traffic: ${rest} ${after.agents === 1 ? "stays" : "stay"}. Lost agents are not replaced; overrides still apply.`,
    "end-freeze": `The controller may change roles and power modes again. Now ${after.agents === 1 ? "serves" : "serve"} ${rest}.`,
  }[kind];
  const canHelp =
    spare.agents === 0
      ? ""
      : `${countToText(spare.agents, "more agent")} on standby can add ${qpsToText(spare.capacityQps)} texts/s if the controller needs ${spare.agents === 1 ? "it" : "them"}.`;
  const cannot =
    unable.length === 0
      ? ""
      : `${listToText(unable.map(({ agentId, reason }) => `${agentId} (${reason})`))} can't serve now.`;
  return [first, verdicts[verdict], canHelp, cannot].filter((sentence) => sentence !== "").join(" ");
}
