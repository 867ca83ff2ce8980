import { isLoopback } from "#platform/http/guard/listen-address.ts";
import type { AgentState } from "../../fleet/agent-state.ts";

/** Group of addresses as Prometheus' HTTP service discovery reads it. */
export interface ScrapeTarget {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Returns the agents' addresses, each with the labels that its metrics are to have: agent, cluster (the fleet), region, board. Devices without an
 * address are left out. So are those that listen on their own machine alone, unless it is this machine that asks: elsewhere the address is another's.
 */
export function scrapeTargets(
  agents: readonly AgentState[],
  fleetName: string,
  fromThisMachine: boolean,
): readonly ScrapeTarget[] {
  return agents.flatMap(({ agentId, birth, presence }) => {
    const url = URL.parse(presence?.url || birth?.url || "");
    if (url === null || (isLoopback(url.hostname) && !fromThisMachine)) return [];
    const isEncrypted = url.protocol === "https:";
    const port = url.port || (isEncrypted ? "443" : "80");
    const region = birth?.region ?? presence?.region ?? "";
    const labels = {
      ...{ agent: agentId, cluster: fleetName },
      ...(region === "" ? {} : { region }),
      ...(birth === null ? {} : { board: birth.board.name }),
      __scheme__: isEncrypted ? "https" : "http",
    };
    return [{ targets: [`${url.hostname}:${port}`], labels }];
  });
}
