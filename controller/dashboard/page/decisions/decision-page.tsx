import { useMemo } from "preact/hooks";
import { explainAftermath } from "#controller/scaling/why/explain-aftermath.ts";
import { explainDecision, explainPlanOf, figuresOfDecision } from "#controller/scaling/why/explain-decision.ts";
import { getJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import { Figure, Figures } from "#platform/page/figure.tsx";
import { formatMoney, formatNumber, formatRate, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, Table } from "#platform/page/table.tsx";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { withGaps } from "../agent/agent-data.ts";
import {
  aftermathStatus,
  type Candidate,
  candidatesOf,
  type Decision,
  kindStatus,
  type Traffic,
} from "./decision-data.ts";

const periodMs = 5_000;
const maxCandidates = 50;
/** Traffic that is shown before a decision. */
const beforeMs = 30 * 60_000;

/** Traffic around a decision, beside the peak that it believed in. */
function AroundIt({ decision }: { readonly decision: Decision }) {
  const { id, atMs, kind, aftermath } = decision;
  const fromMs = aftermath.startMs - beforeMs;
  const untilMs = aftermath.endMs;
  const hours = Math.max(1, Math.ceil((untilMs - fromMs) / 3_600_000));
  const path = `/api/v1/traffic?hours=${hours}&untilMs=${Math.ceil(untilMs)}`;
  const traffic = usePolled(path, periodMs, (signal) => getJson<Traffic>(path, signal));
  const shown = useMemo(
    () =>
      withGaps(
        (traffic.value?.minutes ?? [])
          .filter(({ minuteStartMs }) => minuteStartMs >= fromMs)
          .map(({ minuteStartMs, qps }) => ({ startMs: minuteStartMs, qps })),
        60_000,
      ),
    [traffic.value, fromMs],
  );
  const { kind: status, word } = aftermathStatus[aftermath.rule];
  const lastMs = shown.at(-1)?.startMs ?? fromMs;
  // The line of the belief goes on to the end of its time.
  const rest = lastMs < aftermath.startMs ? [aftermath.startMs, untilMs] : lastMs < untilMs ? [untilMs] : [];
  const times = [...shown.map(({ startMs }) => startMs), ...rest];
  return (
    <section class="card" aria-label="Expected and actual">
      <div class="title">
        <h2>Expected and actual</h2>
        <StatusWord kind={status} word={word} />
      </div>
      <p>{explainAftermath(aftermath)}.</p>
      <Chart
        title="Traffic around it"
        unit="texts/s"
        finding={`${word}; as of ${timeText(traffic.value?.nowMs, "second")}`}
        times={times}
        span={[fromMs, untilMs]}
        height={180}
        series={[
          {
            ...{ label: "answered", color: "--c1", kind: "area" },
            values: times.map((_, index) => shown[index]?.point?.qps ?? null),
          },
          {
            ...{ label: "expected peak", color: "--c-limit", isDashed: true },
            values: times.map((ms) => (ms >= aftermath.startMs ? aftermath.believedPeakQps : null)),
          },
        ]}
        markers={[{ atMs, label: `${kind} #${id}`, href: `/decisions/${id}` }]}
      />
    </section>
  );
}

const columns: readonly Column<Candidate>[] = [
  {
    key: "agent",
    label: "agent",
    cell: ({ agentId }) => <a href={`/agents/${encodeURIComponent(agentId)}`}>{safeText(agentId, 64)}</a>,
  },
  {
    key: "state",
    label: "then",
    cell: ({ served, unavailable }) =>
      unavailable !== null ? (
        <StatusWord kind="off" word={safeText(unavailable, 120)} />
      ) : served ? (
        <StatusWord kind="good" word="served" />
      ) : (
        <StatusWord kind="idle" word="on standby" />
      ),
  },
  {
    key: "capacity",
    label: "counted on",
    isNumber: true,
    cell: ({ capacityQps }) => quantityText(formatRate(capacityQps)),
  },
  {
    key: "price",
    label: "energy per million texts",
    isNumber: true,
    isMinor: true,
    cell: ({ usdPerRequest }) => formatMoney(usdPerRequest === null ? null : usdPerRequest * 1e6).value,
  },
];

function Facts({ decision }: { readonly decision: Decision }) {
  const facts = explainDecision(decision);
  const plan = explainPlanOf(decision);
  return (
    <section class="card" aria-label="How it came about">
      <h2>How it came about, and what came of it</h2>
      {facts.length === 0 ? <p class="muted">Nothing more is on record.</p> : null}
      <dl class="pairs">
        {facts.map(({ label, text }) => (
          <div class="pair" key={`${label} ${text}`}>
            <dt>{label === null ? "note" : safeText(label)}</dt>
            <dd>{safeText(text, 2_000)}</dd>
          </div>
        ))}
      </dl>
      {plan.length === 0 ? null : (
        <>
          <h3>The plan that it follows</h3>
          <ul>
            {plan.map((line) => (
              <li key={line}>{safeText(line, 1_000)}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

/** One decision: figures, what every rule asked for, what limited it, what it could choose from, and what came of it. */
export function DecisionPage({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const id = params["id"] ?? "";
  const path = `/api/v1/decisions/${encodeURIComponent(id)}`;
  const { value: decision, refusal } = usePolled(path, periodMs, (signal) => getJson<Decision>(path, signal));
  if (decision === null)
    return (
      <>
        <h1>Decision #{safeText(id, 20)}</h1>
        <p class="empty">
          {refusal === null ? "loading" : `${safeText(refusal.message)}.`} <a href="/decisions">See all decisions</a>
        </p>
      </>
    );
  const { atMs, lastAtMs, repeats, kind, rule, reason, aftermath } = decision;
  const candidates = candidatesOf(decision);
  const figures = figuresOfDecision(decision);
  const asOf = { asOfMs: lastAtMs, stale: false };
  return (
    <>
      <div class="title">
        <h1>
          Decision #{decision.id}: {safeText(kind, 40)} ({safeText(rule, 60)})
        </h1>
        <StatusWord kind={kindStatus(kind)} word={safeText(kind, 40)} />
        <span class="muted">
          {timeText(atMs, "full")}
          {repeats > 1 ? ` to ${timeText(lastAtMs, "full")}, ${repeats} times` : ""}
        </span>
      </div>
      <p class="reason">{safeText(reason, 8_000)}</p>
      {figures.length === 0 ? null : (
        <Figures label="Figures that it rested on">
          {figures.map(({ name, value, unit }) => (
            <Figure key={name} label={name} quantity={{ value: formatNumber(value), unit }} {...asOf} />
          ))}
        </Figures>
      )}
      {aftermath.rule === "unknown" && aftermath.believedPeakQps === null ? null : (
        <AroundIt key={decision.id} decision={decision} />
      )}
      <Facts decision={decision} />
      {candidates.length === 0 ? null : (
        <section class="card" aria-label="Agents that it could choose from">
          <div class="title">
            <h2>Agents that it could choose from</h2>
            {candidates.length > maxCandidates ? (
              <span class="muted">
                the first {maxCandidates} of {candidates.length} on record
              </span>
            ) : null}
          </div>
          <Table
            caption="Agents that it could choose from"
            columns={columns}
            rows={candidates.slice(0, maxCandidates)}
            rowKey={({ agentId }) => agentId}
            empty=""
          />
        </section>
      )}
      <p class="muted">
        {decision.id > 1 ? <a href={`/decisions/${decision.id - 1}`}>← the one before</a> : null}{" "}
        <a href={`/decisions/${decision.id + 1}`}>the one after →</a> In a terminal:{" "}
        <code>thormesh why {decision.id}</code>. As of {timeText(serverNowMs(), "second")}.
      </p>
    </>
  );
}
