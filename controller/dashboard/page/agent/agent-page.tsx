import { ApiError, getJson } from "#platform/page/api-client.ts";
import { connection } from "#platform/page/connection.ts";
import { HoursChoice } from "#platform/page/fields.tsx";
import { FailedFigure, Figure, Figures, LatencyFigure } from "#platform/page/figure.tsx";
import { formatDuration, formatNumber, formatRate, formatWatts, quantityText } from "#platform/page/format.ts";
import { safeHref, safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";
import { query } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { AgentActions } from "../acting/agent-actions.tsx";
import { AgentCharts } from "./agent-charts.tsx";
import { type AgentDetail, type AgentHistory, type Decision, stateOf } from "./agent-data.ts";
import { AgentFacts } from "./agent-facts.tsx";
import { DesiredTable } from "./desired-table.tsx";

const detailMs = 2_000;
const historyMs = 30_000;
const spans = [1, 6, 24, 48] as const;
const usualHours = 6;

/** Hours that the address asks for. */
function hoursOf(text: string | null): (typeof spans)[number] {
  return spans.find((hours) => String(hours) === text) ?? usualHours;
}

const count = (value: number | null | undefined) => ({ value: formatNumber(value), unit: "" });

interface NowProps {
  readonly agent: AgentDetail;
  /** Power mode of the newest minute on record; null: not measured. */
  readonly lastMode: string | null;
}

function NowFigures({ agent, lastMode }: NowProps) {
  const minute = agent.recentMinutes.at(-1);
  const isOffline = agent.status === "offline";
  const stale = isOffline || connection.value.state === "away";
  // Figures of minutes are as old as their minute; the others as what was heard last.
  const ofMinute = { stale, asOfMs: minute === undefined ? agent.lastHeardMs : minute.minuteStartMs + 60_000 };
  const heard = { stale, asOfMs: isOffline ? agent.lastHeardMs : connection.value.asOfMs };
  const failed = minute === undefined ? null : minute.errors + minute.rejected;
  return (
    <Figures label={isOffline ? "The agent as it was last heard" : "The agent now"}>
      <Figure label="rate" quantity={formatRate(agent.qps ?? minute?.qps)} {...ofMinute} />
      <Figure label="capacity" quantity={formatRate(agent.capacityQps)} {...heard} />
      <Figure label="forecast peak" quantity={formatRate(agent.forecastPeakQps)} {...ofMinute} />
      <LatencyFigure
        p95Ms={agent.p95LatencyMs}
        isAtWork={(agent.qps ?? minute?.qps ?? 0) > 0}
        of="last 5 minutes"
        {...ofMinute}
      />
      <FailedFigure count={failed} {...ofMinute} />
      <Figure label="queue" quantity={{ ...count(agent.queueDepth), unit: "texts" }} {...heard} />
      <Figure label="power" quantity={formatWatts(agent.watts ?? minute?.watts)} {...ofMinute} />
      <Figure label="temperature" quantity={{ ...count(minute?.maxTemperatureC), unit: "°C" }} {...ofMinute} />
      <Figure
        label="power mode"
        quantity={{ value: safeText(agent.powerMode.reported ?? lastMode ?? "–", 40), unit: "" }}
        {...heard}
      />
      <Figure label="outbox" quantity={{ ...count(agent.outbox?.records), unit: "records" }} {...ofMinute} />
    </Figures>
  );
}

function Decisions({ decisions }: { readonly decisions: readonly Decision[] | null }) {
  return (
    <section class="card" aria-label="Last decisions about this agent">
      <h2>Last decisions about it</h2>
      {decisions === null ? <p class="muted">loading</p> : null}
      {decisions?.length === 0 ? <p class="muted">No decision about this agent is on record.</p> : null}
      <ul class="list">
        {decisions?.map(({ id, atMs, kind, rule, reason }) => (
          <li key={id}>
            <time>{timeText(atMs, "day")}</time> <a href={`/decisions/${id}`}>#{id}</a> {safeText(kind)} (
            {safeText(rule)}): {safeText(reason)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Head({ agent, id }: { readonly agent: AgentDetail; readonly id: string }) {
  const state = stateOf(agent);
  const href = safeHref(agent.url);
  const ago = quantityText(formatDuration(Math.max(0, serverNowMs() - agent.lastHeardMs)));
  return (
    <>
      <div class="title">
        <h1>{safeText(id)}</h1>
        <StatusWord {...state} />
        <span class="muted">{safeText([agent.region, agent.board, agent.version].filter(Boolean).join(" · "))}</span>
        {href === null ? null : (
          <a href={href} rel="noreferrer">
            its own page
          </a>
        )}
        <a href={`/routes?agent=${encodeURIComponent(id)}`}>its routes</a>
        <AgentActions
          agentId={id}
          modes={agent.birth?.board.powerModes.map(({ name }) => name) ?? []}
          isOverridden={agent.override !== null}
        />
      </div>
      {agent.status === "offline" ? (
        <p class="note warn">
          ▲ Offline: {safeText(agent.unavailableReason ?? "")}. It was last heard {ago} ago, at{" "}
          {timeText(agent.lastHeardMs, "full")}; what is shown is of then.
        </p>
      ) : null}
    </>
  );
}

/** One agent: what it does now and did in the last hours, what is desired of it and why. */
export function AgentPage({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const id = params["id"] ?? "";
  const hours = hoursOf(query.value.get("hours"));
  const path = `/api/v1/agents/${encodeURIComponent(id)}`;
  const detail = usePolled(path, detailMs, (signal) => getJson<AgentDetail>(path, signal));
  const past = usePolled(`${path}/history?hours=${hours}`, historyMs, (signal) =>
    getJson<AgentHistory>(`${path}/history?hours=${hours}`, signal),
  );
  const decisionsPath = `/api/v1/decisions?agent=${encodeURIComponent(id)}&limit=20`;
  const decisions = usePolled(decisionsPath, historyMs, (signal) =>
    getJson<{ decisions: readonly Decision[] }>(decisionsPath, signal),
  );
  const agent = detail.value;
  const gone = detail.refusal;
  const isUnknown = gone instanceof ApiError && gone.status !== 401 && gone.status !== 403;
  if (agent === null && gone !== null)
    return (
      <>
        <h1>{safeText(id)}</h1>
        <p class="empty">
          {isUnknown ? "There is no such agent: " : ""}
          {safeText(gone.message)}. <a href="/">See the fleet</a>
        </p>
      </>
    );
  if (agent === null) return <h1>{safeText(id)}</h1>;
  return (
    <>
      <Head agent={agent} id={id} />
      {isUnknown ? <p class="note warn">▲ It was removed from the fleet: {safeText(gone.message)}.</p> : null}
      <NowFigures agent={agent} lastMode={past.value?.modes.at(-1)?.powerMode ?? null} />
      <HoursChoice values={spans} chosen={hours} usual={usualHours} />
      {past.value === null ? (
        <p class="muted">{past.refusal === null ? "loading the last hours" : safeText(past.refusal.message)}</p>
      ) : (
        <AgentCharts history={past.value} decisions={decisions.value?.decisions ?? []} />
      )}
      <div class="columns">
        <DesiredTable agent={agent} />
        <Decisions decisions={decisions.value?.decisions ?? null} />
      </div>
      <AgentFacts agent={agent} />
    </>
  );
}
