import type { AgentView } from "#controller/api/schemas.ts";
import { getJson } from "#platform/page/api-client.ts";
import { measuredByPeers } from "#platform/page/figure.tsx";
import { formatDuration, formatNumber, formatRate, formatWatts, quantityText, unknown } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { type StatusKind, StatusWord } from "#platform/page/status-word.tsx";
import { type Column, rowsPerPage, type Sort, Table } from "#platform/page/table.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { query, setQuery } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { agentCount, conditions, fleet, rows, rowsVersion } from "../fleet-state.ts";
import { AgentFilter } from "./agent-filter.tsx";
import { AgentMap } from "./agent-map.tsx";
import { withLiveRow } from "./live-agent.ts";

interface AgentPageView {
  readonly agents: readonly AgentView[];
  readonly total: number;
  readonly matching: number;
}

/** Time between two lists: figures of their agents come by the stream meanwhile. */
const pollMs = 5_000;
/** Number of agents from which the map is shown as well. */
const mapFrom = 200;

const kinds: Readonly<Record<AgentView["condition"], StatusKind>> = {
  serving: "good",
  standby: "idle",
  draining: "busy",
  offline: "off",
};

/** Lists all that is not as it should be with an agent. */
function notesOf({ unavailableReason, differs, brokerProblems, clockSkewMs, override }: AgentView): readonly string[] {
  const way = clockSkewMs > 0 ? "ahead" : "behind";
  const skew = clockSkewMs === 0 ? [] : [`its clock is ${quantityText(formatDuration(Math.abs(clockSkewMs)))} ${way}`];
  const order = override === null ? [] : ["overridden by an operator"];
  const other = differs.map(({ field, reason }) => `${field}: ${reason}`);
  return [...(unavailableReason === null ? [] : [unavailableReason]), ...order, ...other, ...brokerProblems, ...skew];
}

const loadOf = ({ qps, capacityQps }: AgentView) =>
  qps === null || capacityQps === null || capacityQps === 0 ? null : qps / capacityQps;

function LoadBar({ share }: { readonly share: number | null }) {
  if (share === null) return unknown;
  return (
    <>
      <meter min={0} max={1} high={0.85} value={Math.min(1, share)} aria-label="load" /> {formatNumber(share * 100, 2)}{" "}
      %
    </>
  );
}

const columns: readonly Column<AgentView>[] = [
  {
    key: "agentId",
    label: "agent",
    cell: ({ agentId }) => <a href={`/agents/${encodeURIComponent(agentId)}`}>{safeText(agentId, 64)}</a>,
  },
  {
    key: "state",
    label: "state",
    cell: (agent) => <StatusWord kind={kinds[agent.condition]} word={agent.condition} />,
  },
  { key: "qps", label: "rate", isNumber: true, cell: ({ qps }) => quantityText(formatRate(qps)) },
  {
    key: "load",
    label: "load",
    title: "Rate by capacity of the most capable power mode",
    isNumber: true,
    cell: (agent) => <LoadBar share={loadOf(agent)} />,
  },
  {
    key: "p95",
    label: "p95",
    isNumber: true,
    cell: ({ p95LatencyMs, qps }) => (
      <span title={p95LatencyMs === null && (qps ?? 0) > 0 ? measuredByPeers : undefined}>
        {quantityText(formatDuration(p95LatencyMs))}
      </span>
    ),
  },
  { key: "watts", label: "power", isNumber: true, cell: ({ watts }) => quantityText(formatWatts(watts)) },
  {
    key: "temperature",
    label: "hottest",
    isNumber: true,
    cell: ({ temperatureC }) => (temperatureC === null ? `${unknown} °C` : `${Math.round(temperatureC)} °C`),
  },
  {
    key: "mode",
    label: "power mode",
    isSortable: false,
    isMinor: true,
    cell: ({ powerMode }) => safeText(powerMode.reported ?? "unknown", 40),
  },
  { key: "region", label: "region", isMinor: true, cell: ({ region }) => safeText(region ?? "unknown", 40) },
  { key: "version", label: "version", isMinor: true, cell: ({ version }) => safeText(version ?? "unknown", 40) },
  {
    key: "notes",
    label: "notes",
    isSortable: false,
    cell: (agent) => {
      const notes = notesOf(agent);
      if (notes.length === 0) return <span class="muted">as desired</span>;
      const silent = agent.status === "offline" ? `. Heard at ${timeText(agent.lastHeardMs, "second")}` : "";
      return <span title={safeText(notes.join("; "), 1_000)}>{safeText(notes.join("; "), 80) + silent}</span>;
    },
  },
];

const sortOf = (text: string | null): Sort => ({
  key: (text ?? "agentId").replace("-", ""),
  direction: text?.startsWith("-") ? "descending" : "ascending",
});
const sortText = ({ key, direction }: Sort) => `${direction === "descending" ? "-" : ""}${key}`;

function Empty({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <>No agent meets the filter.</>;
  if (fleet.value === null) return <>loading</>;
  return (
    <>
      No agent yet. <code>thormesh agent</code> starts one on the controller's machine, as the same user. A device joins
      by <code>thormesh agent join {location.origin} TOKEN --start</code>, with a token of{" "}
      <code>thormesh token create</code>; docs/install.md has all of it. <code>thormesh demo</code> shows a fleet on one
      machine.
    </>
  );
}

/** The agents that meet the filter, sorted by the server, a page of them at a time; above many, a map of all. */
export function AgentList() {
  const filter = query.value.get("q") ?? "";
  const sort = query.value.get("sort");
  const from = Math.max(0, Number.parseInt(query.value.get("from") ?? "0", 10) || 0);
  const asked = new URLSearchParams({
    limit: String(rowsPerPage),
    ...(filter === "" ? {} : { filter }),
    ...(sort === null ? {} : { sort }),
    ...(from === 0 ? {} : { offset: String(from) }),
  });
  const url = `/api/v1/agents?${asked}`;
  const { value: list, refusal } = usePolled(url, pollMs, (signal) => getJson<AgentPageView>(url, signal));
  // Read so that the table follows the stream.
  void rowsVersion.value;
  const listed = refusal === null ? (list?.agents ?? []) : [];
  const agents = listed.map((agent) => withLiveRow(agent, rows.get(agent.agentId), conditions));
  const matching = list?.matching ?? 0;
  const total = list?.total ?? agentCount.value;
  return (
    <section class="card" aria-label="Agents">
      <div class="title">
        <h2>Agents</h2>
        <span class="muted" aria-live="polite">
          {total === null
            ? ""
            : filter === ""
              ? formatNumber(total, 9)
              : `${formatNumber(matching, 9)} of ${formatNumber(total, 9)}`}
        </span>
        <AgentFilter problem={refusal === null ? null : refusal.message} />
      </div>
      {(total ?? 0) > mapFrom ? <AgentMap /> : null}
      <Table
        caption="Agents"
        columns={columns}
        rows={agents}
        rowKey={({ agentId }) => agentId}
        rowClass={({ status }) => (status === "offline" ? "stale-row" : "")}
        sort={sortOf(sort)}
        onSort={(next) => setQuery({ sort: sortText(next) === "agentId" ? null : sortText(next), from: null })}
        from={from}
        onPage={(next) => setQuery({ from: next === 0 ? null : String(next) })}
        total={matching}
        empty={<Empty isFiltered={filter !== ""} />}
      />
    </section>
  );
}
