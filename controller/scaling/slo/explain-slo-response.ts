import { countToText, listToText, qpsToText } from "#controller/scaling/figures-to-text.ts";
import type { AgentService, SloResponse } from "./decide-slo-response.ts";
import { type AgentCapacity, tellingConfidence } from "./observe-capacity.ts";

const sum = (agents: readonly AgentService[], key: "requestsPerS" | "refusedPerS" | "failedPerS") =>
  agents.reduce((total, agent) => total + agent[key], 0);

/** "thor-1 answers at most 17 texts/s (its profile says 336)"; of an agent that has not measured for sure, what it answered. */
function explainCapacity({ agentId, servedQps }: AgentService, capacity: AgentCapacity | undefined): string {
  const { measuredQps: anyQps = null, profileQps = null, confidence = 0 } = capacity ?? {};
  const measuredQps = confidence < tellingConfidence ? null : anyQps;
  const profile = profileQps === null ? "" : ` (its profile says ${qpsToText(profileQps)})`;
  return measuredQps === null
    ? `${agentId} answered ${qpsToText(servedQps)} texts/s${profile}`
    : `${agentId} answers at most ${qpsToText(measuredQps)} texts/s${profile}`;
}

/** Explains in half a sentence what users were not given, e.g. "users were refused 43 of 60 requests/s in the last 10 s and …". */
export function explainSloResponse(
  { rule, agents, unused }: SloResponse,
  capacities: ReadonlyMap<string, AgentCapacity>,
): string {
  const seconds = `in the last ${countToText(Math.round(Math.max(0, ...agents.map(({ windowS }) => windowS))), "s", "s")}`;
  const offered = qpsToText(sum(agents, "requestsPerS"));
  const others =
    unused.length === 0
      ? ""
      : `, while ${listToText(unused)} ${unused.length === 1 ? "serves and is" : "serve and are"} hardly used: requests must be spread`;
  const answers = `${listToText(agents.map((agent) => explainCapacity(agent, capacities.get(agent.agentId))))}${others}`;
  switch (rule) {
    case "kept":
      return "the SLO is met";
    case "refused":
      return `users were refused ${qpsToText(sum(agents, "refusedPerS"))} of ${offered} requests/s ${seconds} and ${answers}`;
    case "failed":
      return `${qpsToText(sum(agents, "failedPerS"))} of ${offered} requests/s failed ${seconds} at ${listToText(agents.map(({ agentId }) => agentId))}`;
    case "slow": {
      const slow = agents.flatMap(({ misses }) => misses.flatMap((miss) => (miss.rule === "slow" ? miss : [])));
      const [worst] = slow.toSorted((a, b) => b.p95Ms / b.targetMs - a.p95Ms / a.targetMs);
      const waited = worst === undefined ? "" : ` for ${qpsToText(worst.p95Ms)} ms (p95; ${worst.targetMs} promised)`;
      return `users waited${waited} ${seconds} and ${answers}`;
    }
    default:
      return rule satisfies never;
  }
}
