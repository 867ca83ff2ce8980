import type { Static } from "@sinclair/typebox";
import { useMemo } from "preact/hooks";
import type { DecisionRules, DecisionTimeline } from "#controller/api/schemas.ts";
import { getJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import { Completed } from "#platform/page/completed-input.tsx";
import { HoursChoice } from "#platform/page/fields.tsx";
import { formatRate, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, rowsPerPage, Table } from "#platform/page/table.tsx";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";
import { query, setQuery } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { highest, withGaps } from "../agent/agent-data.ts";
import {
  chartHours,
  filtersOf,
  hoursOf,
  kindStatus,
  markersOf,
  resultOf,
  type ShortDecision,
  stepMinutesOf,
  type Traffic,
  timelinePath,
} from "./decision-data.ts";

const listMs = 5_000;
const trafficMs = 30_000;
const namesMs = 60_000;
const maxMarkers = 100;

function Result({ decision }: { readonly decision: ShortDecision }) {
  const result = resultOf(decision);
  return result === null ? <>–</> : <StatusWord {...result} />;
}

const columns: readonly Column<ShortDecision>[] = [
  {
    key: "time",
    label: "when",
    cell: ({ id, atMs, lastAtMs, repeats }) => (
      <>
        <a href={`/decisions/${id}`}>{timeText(atMs, "day")}</a>
        {repeats > 1 ? (
          <div class="muted">
            until {timeText(lastAtMs, "minute")}, {repeats} times
          </div>
        ) : null}
      </>
    ),
  },
  {
    key: "kind",
    label: "decision",
    cell: ({ kind, rule }) => (
      <>
        <StatusWord kind={kindStatus(kind)} word={safeText(kind, 40)} />
        <div class="muted">{safeText(rule, 60)}</div>
      </>
    ),
  },
  { key: "result", label: "outcome", cell: (decision) => <Result decision={decision} /> },
  {
    key: "agents",
    label: "agents",
    isMinor: true,
    cell: ({ agents, agentIds }) =>
      agents === 0
        ? "–"
        : `${agentIds.map((id) => safeText(id, 40)).join(", ")}${agents > agentIds.length ? ` and ${agents - agentIds.length} more` : ""}`,
  },
  { key: "reason", label: "why", isLong: true, cell: ({ reason }) => safeText(reason, 400) },
];

/** Traffic of the last hours with the decisions on it. */
function TrafficChart() {
  const hours = hoursOf(query.value.get("hours"));
  const stepMinutes = stepMinutesOf(hours);
  const all = { kind: "", rule: "", agent: "", before: "", withHolds: false };
  const traffic = usePolled(`/traffic ${hours}`, trafficMs, (signal) =>
    getJson<Traffic>(`/api/v1/traffic?hours=${hours}&step=${stepMinutes}`, signal),
  );
  const marked = usePolled(`/marks ${hours}`, trafficMs, (signal) =>
    getJson<DecisionTimeline>(timelinePath(all, maxMarkers, serverNowMs() - hours * 3_600_000), signal),
  );
  const nowMs = traffic.value?.nowMs ?? serverNowMs();
  const fromMs = nowMs - hours * 3_600_000;
  const points = useMemo(
    () =>
      withGaps(
        (traffic.value?.minutes ?? []).map(({ minuteStartMs, qps }) => ({ startMs: minuteStartMs, qps })),
        stepMinutes * 60_000,
      ),
    [traffic.value, stepMinutes],
  );
  const values = points.map(({ point }) => point?.qps ?? null);
  const markers = markersOf(marked.value?.decisions ?? [], fromMs);
  const more = marked.value?.next == null ? "" : "the newest ";
  return (
    <section class="card" aria-label="Traffic and decisions">
      <h2 class="hidden">Traffic and decisions</h2>
      <HoursChoice values={chartHours} chosen={hours} usual={24} />
      <Chart
        title="Traffic and decisions"
        unit="texts/s"
        finding={
          traffic.value === null
            ? "loading"
            : `highest ${quantityText(formatRate(highest(values)))}; ${more}${markers.length} changes; as of ${timeText(nowMs, "second")}`
        }
        times={points.map(({ startMs }) => startMs)}
        span={[fromMs, nowMs]}
        series={[
          {
            label: stepMinutes === 1 ? "answered" : `answered, mean of ${stepMinutes} minutes`,
            values,
            color: "--c1",
            kind: "area",
          },
        ]}
        markers={markers}
      />
    </section>
  );
}

type Rules = Static<typeof DecisionRules>["rules"];

function Filters({ rules }: { readonly rules: Rules }) {
  const filters = filtersOf(query.value);
  const set = (name: string) => (value: string) => setQuery({ [name]: value, before: null });
  const kinds = [...new Set(rules.map(({ kind }) => kind))].sort();
  const ofKind = rules.filter(({ kind }) => filters.kind === "" || kind === filters.kind);
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()} aria-label="Filter of the decisions">
      <label>
        what{" "}
        <select
          value={filters.kind}
          onChange={(event) =>
            setQuery({
              kind: event.currentTarget.value,
              holds: event.currentTarget.value === "hold" ? "true" : query.value.get("holds"),
              before: null,
            })
          }
        >
          <option value="">all</option>
          {[...new Set([...kinds, ...(filters.kind === "" ? [] : [filters.kind])])].map((kind) => (
            <option key={kind} value={kind}>
              {safeText(kind, 40)}
            </option>
          ))}
        </select>
      </label>
      <Completed
        label="rule"
        value={filters.rule}
        names={[...new Set(ofKind.map(({ rule }) => rule))]}
        onChange={set("rule")}
      />
      <Completed
        label="agent"
        value={filters.agent}
        isMain
        load={(text, signal) =>
          getJson<{ names: string[] }>(`/api/v1/cost/names?of=agent&text=${encodeURIComponent(text)}`, signal).then(
            ({ names }) => names,
          )
        }
        onChange={set("agent")}
      />
      <label>
        <input
          type="checkbox"
          checked={filters.withHolds}
          onChange={(event) => setQuery({ holds: event.currentTarget.checked ? "true" : null, before: null })}
        />{" "}
        also when nothing changed
      </label>
    </form>
  );
}

/** The decisions: on the chart of traffic, and as a list in pages. */
export function DecisionsPage() {
  const filters = filtersOf(query.value);
  const path = timelinePath(filters, rowsPerPage);
  const list = usePolled(path, listMs, (signal) => getJson<DecisionTimeline>(path, signal));
  const rules = usePolled("/rules", namesMs, (signal) =>
    getJson<{ rules: Rules }>("/api/v1/decisions/rules", signal).then((answer) => answer.rules),
  );
  const isFiltered = filters.kind !== "" || filters.rule !== "" || filters.agent !== "";
  const older = new URLSearchParams(query.value);
  const newest = new URLSearchParams(query.value);
  newest.delete("before");
  if (list.value?.next != null) older.set("before", String(list.value.next));
  return (
    <>
      <h1 class="hidden">Decisions</h1>
      <TrafficChart />
      <section class="card" aria-label="Decisions">
        <div class="title">
          <h2>Decisions</h2>
          <span class="muted">as of {timeText(list.value?.nowMs, "second")}</span>
        </div>
        <Filters rules={rules.value ?? []} />
        {list.refusal === null ? null : <p class="note warn">▲ {safeText(list.refusal.message)}</p>}
        <Table
          caption="Decisions"
          columns={columns}
          rows={list.value?.decisions ?? []}
          rowKey={({ id }) => String(id)}
          empty={
            list.value === null
              ? "loading"
              : isFiltered || filters.before !== ""
                ? "No decision on record is like this."
                : "Nothing was changed yet. What the controller holds, and why, is shown with “also when nothing changed”."
          }
        />
        <nav class="pages" aria-label="Pages of the decisions">
          {filters.before === "" ? null : <a href={`/decisions?${newest}`}>newest</a>}
          {list.value?.next == null ? null : <a href={`/decisions?${older}`}>older →</a>}
        </nav>
      </section>
    </>
  );
}
