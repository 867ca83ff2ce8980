import type { AgentStatus } from "#agent/agent-status.ts";
import type { CapacityEstimate } from "#protocol/messages.ts";
import { getJson } from "#tools/demo/fleet/http-json.ts";

/** Capacity that an agent measured of itself, in the mode it is in. */
export type MeasuredCapacity = Pick<CapacityEstimate, "modeName" | "qps" | "confidence">;

/** Confidence from which agents themselves decide by a measurement. */
const minConfidence = 0.5;

type Ask = (url: string) => Promise<Pick<AgentStatus, "capacity">>;

/** Asks the agents what they have measured; null for one that has not measured its present mode yet. */
export async function measuredCapacities(
  agents: readonly { readonly agentId: string; readonly url: string }[],
  ask: Ask = async (url) => (await getJson(url)) as AgentStatus,
): Promise<ReadonlyMap<string, MeasuredCapacity | null>> {
  const answers = agents.map(async ({ agentId, url }) => {
    const { capacity } = await ask(`${url}/api/v1/status`);
    const measured = capacity.find(({ source, confidence }) => source !== "profile" && confidence >= minConfidence);
    return [agentId, measured ?? null] as const;
  });
  // An agent that does not answer is left out: the process of one that has ended is watched.
  const settled = await Promise.allSettled(answers);
  return new Map(settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])));
}
