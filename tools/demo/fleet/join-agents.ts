import { join } from "node:path";
import { joinFleet } from "#agent/enrolment/join-fleet.ts";
import { fetchBounded } from "#platform/fetch/fetch-bounded.ts";
import { minuteMs } from "#platform/time.ts";
import { parseJoinToken } from "#protocol/identity/join-token.ts";

export interface JoinPlan {
  /** Holds the agents' state directories, by id. */
  readonly directory: string;
  readonly controllerUrl: string;
  readonly apiKey: string;
  readonly agentIds: readonly string[];
}

/**
 * Lets agents join the fleet of a controller before they start, all with one token: what `thormesh token create` and `thormesh agent join` do.
 * @throws Error when the controller refuses.
 */
export async function joinAgents({ directory, controllerUrl, apiKey, agentIds }: JoinPlan): Promise<void> {
  const answer = await fetchBounded(`${controllerUrl}/api/v1/join-tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ uses: agentIds.length, approved: true }),
    ...{ timeoutMs: minuteMs, maxBytes: 65_536 },
  });
  const made = (await answer.json().catch(() => null)) as { readonly token?: string } | null;
  const token = parseJoinToken(made?.token ?? "");
  if (token === null) throw new Error(`the controller answers HTTP ${answer.status} when asked for a join token`);
  const parts = { controllerUrl, token, waitMs: 0, onPending: () => undefined, sleep: Bun.sleep };
  await Promise.all(agentIds.map((agentId) => joinFleet({ ...parts, agentId, stateDir: join(directory, agentId) })));
}
