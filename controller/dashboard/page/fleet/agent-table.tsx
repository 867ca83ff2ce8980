import { useSignal, useSignalEffect } from "@preact/signals";
import type { AgentView } from "#controller/api/schemas.ts";
import { getJson } from "#platform/page/api-client.ts";
import { formatDuration, formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { showError } from "#platform/page/page-errors.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, rowsPerPage, Table } from "#platform/page/table.tsx";
import { fleet } from "../fleet-state.ts";

function AgentStatus({ agent }: { readonly agent: AgentView }) {
  if (agent.status === "offline") return <StatusWord kind="off" word="offline" />;
  const role = agent.role.reported ?? agent.role.desired;
  if (role === "active") return <StatusWord kind="good" word="serving" />;
  if (role === "draining") return <StatusWord kind="busy" word="draining" />;
  return <StatusWord kind="idle" word="standby" />;
}

const columns: readonly Column<AgentView>[] = [
  {
    key: "agentId",
    label: "agent",
    cell: ({ agentId }) => <a href={`/agents/${encodeURIComponent(agentId)}`}>{safeText(agentId)}</a>,
  },
  { key: "status", label: "state", cell: (agent) => <AgentStatus agent={agent} /> },
  { key: "qps", label: "rate", isNumber: true, cell: ({ qps }) => quantityText(formatRate(qps)) },
  { key: "p95", label: "p95", isNumber: true, cell: ({ p95LatencyMs }) => quantityText(formatDuration(p95LatencyMs)) },
  { key: "watts", label: "power", isNumber: true, cell: ({ watts }) => quantityText(formatWatts(watts)) },
  { key: "mode", label: "power mode", isMinor: true, cell: ({ powerMode }) => safeText(powerMode.reported ?? "–") },
];

/** The agents, a page of them at a time. */
export function AgentTable() {
  const list = useSignal<{ readonly agents: readonly AgentView[]; readonly total: number } | null>(null);
  useSignalEffect(() => {
    if (fleet.value === null) return;
    getJson<{ agents: AgentView[]; total: number }>(`/api/v1/agents?limit=${rowsPerPage}`).then((answer) => {
      list.value = answer;
    }, showError);
  });
  const agents = list.value?.agents ?? [];
  return (
    <section class="card" aria-label="Agents">
      <div class="title">
        <h2>Agents</h2>
      </div>
      <Table
        caption="Agents"
        columns={columns}
        rows={agents}
        rowKey={({ agentId }) => agentId}
        {...(list.value === null ? {} : { total: list.value.total })}
        empty={
          list.value === null ? (
            "loading"
          ) : (
            <>
              No agent yet. Start one on a device: <code>thormesh agent --broker mqtt://THIS-HOST:1883</code>
            </>
          )
        }
      />
    </section>
  );
}
