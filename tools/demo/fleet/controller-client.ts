import type { Static } from "@sinclair/typebox";
import type { AllocationView } from "#controller/api/allocation-views.ts";
import type { AgentList, DecisionList, FleetView } from "#controller/api/schemas.ts";
import type { CostReport } from "#controller/cost/cost-report.ts";
import type { ForecastAccuracy } from "#protocol/messages.ts";
import { getJson } from "./http-json.ts";

/** Part of the controller's API that the demo reads. Calls reject when it does not answer. */
export interface ControllerClient {
  /** Address of its page, and the key to log in with. */
  readonly page: string;
  fleet(): Promise<FleetView>;
  agents(): Promise<Static<typeof AgentList>["agents"]>;
  /** Returns decisions other than holds, newest first. */
  decisions(sinceMs: number): Promise<Static<typeof DecisionList>["decisions"]>;
  cost(startMs: number, endMs: number): Promise<CostReport>;
  /** Returns who pays what, by tenant and model, with what nobody used under `__idle__`. */
  allocation(startMs: number, endMs: number): Promise<Readonly<Record<string, AllocationView>>>;
  /** Returns the accuracy of the fleet's forecasts of the last 24 hours, as measured by the controller. */
  forecastAccuracy(): Promise<ForecastAccuracy>;
}

const maxDecisions = 1000;

/** @param apiKey key of its API */
export function createControllerClient(url: string, apiKey: string): ControllerClient {
  const ask = (path: string) => getJson(`${url}${path}`, apiKey);
  const decisionsOf = async (kind: string, sinceMs: number) => {
    const query = `kind=${kind}&sinceMs=${Math.floor(sinceMs)}&limit=${maxDecisions}`;
    const { decisions } = (await ask(`/api/v1/decisions?${query}`)) as Static<typeof DecisionList>;
    return decisions;
  };
  return {
    page: `${url}/ (log in with ${apiKey})`,
    fleet: async () => (await ask(`/api/v1/fleet`)) as FleetView,
    agents: async () => ((await ask(`/api/v1/agents`)) as Static<typeof AgentList>).agents,
    async decisions(sinceMs) {
      const kinds = ["scale-out", "scale-in", "change-modes", "override", "override-ended"];
      const lists = await Promise.all(kinds.map((kind) => decisionsOf(kind, sinceMs)));
      return lists.flat().sort((a, b) => b.atMs - a.atMs || b.id - a.id);
    },
    cost: async (startMs, endMs) =>
      (await ask(`/api/v1/cost?window=${Math.floor(startMs)},${Math.floor(endMs)}`)) as CostReport,
    async allocation(startMs, endMs) {
      const window = `${Math.floor(startMs)},${Math.floor(endMs)}`;
      const path = `/allocation?window=${window}&aggregate=tenant,model&includeIdle=true`;
      const { data } = (await ask(path)) as { data: readonly Record<string, AllocationView>[] };
      return data[0] ?? {};
    },
    forecastAccuracy: async () => (await ask(`/api/v1/forecast/accuracy?window=24h`)) as ForecastAccuracy,
  };
}
