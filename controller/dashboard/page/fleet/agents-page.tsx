import { FleetActions } from "../acting/fleet-actions.tsx";
import { fleet } from "../fleet-state.ts";
import { AgentList } from "./agent-list.tsx";

/** The agents alone, for long lists. */
export function AgentsPage() {
  return (
    <>
      <div class="page-head">
        <h1>Agents</h1>
        <FleetActions freeze={fleet.value?.freeze ?? null} />
      </div>
      <AgentList />
    </>
  );
}
