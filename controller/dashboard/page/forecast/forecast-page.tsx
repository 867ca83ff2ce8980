import { useMemo } from "preact/hooks";
import { getJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import { Choice } from "#platform/page/fields.tsx";
import { Figure, Figures } from "#platform/page/figure.tsx";
import { formatNumber, formatRate, formatShare, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, Table } from "#platform/page/table.tsx";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";
import { query, setQuery } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { highest } from "../agent/agent-data.ts";
import type { Traffic } from "../decisions/decision-data.ts";
import {
  coverageText,
  driftStatus,
  endStatus,
  fanHours,
  fanOf,
  type Measure,
  measures,
  type Overview,
  peaksOf,
  trainingStatus,
  windowOf,
  windows,
} from "./forecast-data.ts";

const periodMs = 10_000;
/** Age from which a forecast is stale: one is made each minute. */
const staleMs = 5 * 60_000;

function Now({ overview }: { readonly overview: Overview }) {
  const { forecast, accuracy, nowMs } = overview;
  const madeAtMs = forecast?.madeAtMs ?? null;
  const asOf = { asOfMs: madeAtMs, stale: madeAtMs !== null && nowMs - madeAtMs > staleMs };
  const judged = { asOfMs: nowMs };
  const coverage = accuracy["24h"].coverage95;
  return (
    <Figures label="The forecast now">
      <Figure label="peak of 15 minutes, median" quantity={formatRate(forecast?.peakQps?.q50)} {...asOf} />
      <Figure label="its 0.95 quantile" quantity={formatRate(forecast?.peakQps?.q95)} {...asOf} />
      <Figure label="model in use" quantity={{ value: safeText(forecast?.model ?? "–", 40), unit: "" }} {...asOf}>
        made {timeText(madeAtMs, "second")}
      </Figure>
      <Figure
        label="error, 24 h"
        quantity={{ value: formatNumber(accuracy["24h"].wapePercent), unit: "%" }}
        {...judged}
      />
      <Figure
        label="within the 0.95 quantile, 24 h"
        quantity={formatShare(coverage)}
        {...judged}
        {...(coverage !== null && coverage < 0.85 ? { tone: "warn" as const } : {})}
      />
      <Figure
        label="rises forecast, 24 h"
        quantity={{ value: `${accuracy["24h"].hits} of ${accuracy["24h"].rises}`, unit: "" }}
        {...judged}
      />
    </Figures>
  );
}

function Fan({ overview, traffic }: { readonly overview: Overview; readonly traffic: Traffic | null }) {
  const { forecast } = overview;
  const chart = useMemo(() => fanOf(forecast, traffic?.minutes ?? []), [forecast, traffic]);
  const finding =
    forecast === null
      ? "no forecast yet: the first comes after a whole minute of traffic"
      : `${quantityText(formatRate(highest(forecast.qps)))} is the highest of the next 15 minutes' median; made ${timeText(forecast.madeAtMs, "second")}`;
  return (
    <section class="card" aria-label="Forecast against actual">
      <h2 class="hidden">Forecast against actual</h2>
      <Chart title="Forecast against actual" unit="texts/s" finding={finding} height={260} {...chart} />
      {forecast === null || forecast.reason === "" ? null : (
        <p class="muted">Why this model: {safeText(forecast.reason)}</p>
      )}
    </section>
  );
}

function Peaks({ overview }: { readonly overview: Overview }) {
  const { window, peaks, nowMs } = overview;
  const chart = useMemo(() => peaksOf(peaks), [peaks]);
  return (
    <section class="card" aria-label="Past forecasts">
      <h2 class="hidden">Past forecasts</h2>
      <Choice
        label="Time that is looked back on"
        values={windows}
        chosen={window}
        text={(each) => each.replace(/(\d+)/, "$1 ")}
        onChoose={(each) => setQuery({ window: each === "24h" ? null : each })}
      />
      {peaks.length === 0 ? (
        <p class="empty">No forecast of this time is judged yet: one is when its 15 minutes are over.</p>
      ) : (
        <Chart
          title="Peaks of 15 minutes, forecast and actual"
          unit="texts/s"
          finding={`${coverageText(peaks)}; as of ${timeText(nowMs, "second")}`}
          {...chart}
        />
      )}
    </section>
  );
}

function Accuracy({ overview }: { readonly overview: Overview }) {
  const { accuracy, drift, nowMs } = overview;
  const columns: Column<Measure>[] = [
    { key: "name", label: "measure", cell: ({ name, hint }) => <span title={hint}>{name}</span> },
    ...windows.map((window) => ({
      key: window,
      label: window.replace(/(\d+)/, "$1 "),
      isNumber: true,
      cell: ({ of }: Measure) => quantityText(of(accuracy[window])),
    })),
  ];
  return (
    <section class="card" aria-label="Live accuracy">
      <div class="title">
        <h2>Live accuracy</h2>
        <StatusWord {...driftStatus[drift.rule]} />
        <span class="muted">as of {timeText(nowMs, "second")}</span>
      </div>
      <p>{safeText(drift.reason)}.</p>
      <Table caption="Live accuracy" columns={columns} rows={measures} rowKey={({ name }) => name} empty="" />
    </section>
  );
}

function Models({ overview }: { readonly overview: Overview }) {
  const { forecast, forecaster, accuracy } = overview;
  const shares = Object.entries(forecast?.shares ?? {}).sort(([, a], [, b]) => b - a);
  const served = Object.entries(accuracy["24h"].served).sort(([, a], [, b]) => b - a);
  const columns: Column<(typeof shares)[number]>[] = [
    { key: "model", label: "model", cell: ([model]) => safeText(model, 64) },
    {
      key: "share",
      label: "share of the forecast",
      isNumber: true,
      cell: ([, share]) => (
        <>
          <progress value={share} max={1} aria-hidden="true" /> {quantityText(formatShare(share))}
        </>
      ),
    },
  ];
  return (
    <section class="card" aria-label="Models">
      <h2>Models</h2>
      <p>
        Network: {safeText(forecaster.model, 64)} on {safeText(forecaster.backend, 40)}
        {forecaster.reason === "" ? "" : ` (${safeText(forecaster.reason)})`}
      </p>
      <Table
        caption="Models of the newest forecast"
        columns={columns}
        rows={shares}
        rowKey={([model]) => model}
        empty="The newest forecast is of one model."
      />
      {served.length === 0 ? null : (
        <p class="muted">
          Judged forecasts of 24 h by model:{" "}
          {served.map(([model, forecasts]) => `${safeText(model, 64)} ${formatNumber(forecasts, 6)}`).join(", ")}
        </p>
      )}
    </section>
  );
}

const trainingColumns: readonly Column<Overview["training"]["rows"][number]>[] = [
  {
    key: "agent",
    label: "agent",
    cell: ({ agentId }) => <a href={`/agents/${encodeURIComponent(agentId)}`}>{safeText(agentId, 64)}</a>,
  },
  {
    key: "state",
    label: "now and next",
    isLong: true,
    cell: ({ state, reason, reportedAtMs }) => (
      <>
        <StatusWord {...trainingStatus[state]} />
        <div>{safeText(reason)}</div>
        <div class="muted">
          {reportedAtMs === null ? "reported before this controller started" : `as of ${timeText(reportedAtMs, "day")}`}
        </div>
      </>
    ),
  },
  {
    key: "last",
    label: "last",
    isLong: true,
    cell: ({ last }) =>
      last === null ? (
        "–"
      ) : (
        <>
          <StatusWord {...endStatus[last.kind]} /> <span class="muted">{timeText(last.endedAtMs, "day")}</span>
          <div>{safeText(last.reason)}</div>
        </>
      ),
  },
];

function Training({ overview }: { readonly overview: Overview }) {
  const { agents, training, rows } = overview.training;
  return (
    <section class="card" aria-label="Training">
      <div class="title">
        <h2>Training</h2>
        <span class="muted">
          {training} of {agents} agents train now{rows.length < agents ? `; the newest ${rows.length} are shown` : ""}
        </span>
      </div>
      <Table
        caption="Training"
        columns={trainingColumns}
        rows={rows}
        rowKey={({ agentId }) => agentId}
        empty="No agent has told of its training yet."
      />
    </section>
  );
}

/** The fleet's forecast: fan and actual, past peaks, live accuracy, models, and training. */
export function ForecastPage() {
  const window = windowOf(query.value.get("window"));
  const path = `/api/v1/forecast/overview?window=${window}`;
  const overview = usePolled(path, periodMs, (signal) => getJson<Overview>(path, signal));
  const traffic = usePolled("/traffic", periodMs, (signal) =>
    getJson<Traffic>(`/api/v1/traffic?hours=${fanHours}`, signal),
  );
  const { value, refusal } = overview;
  if (value === null)
    return (
      <>
        <h1>Forecast</h1>
        <p class="empty">{refusal === null ? "loading" : safeText(refusal.message)}</p>
      </>
    );
  const isOld = value.forecast !== null && serverNowMs() - value.forecast.madeAtMs > staleMs;
  return (
    <>
      <h1 class="hidden">Forecast</h1>
      {isOld ? (
        <p class="note warn">▲ The newest forecast is of {timeText(value.forecast?.madeAtMs, "full")}.</p>
      ) : null}
      <Now overview={value} />
      <Fan overview={value} traffic={traffic.value} />
      <Peaks overview={value} />
      <div class="columns">
        <Accuracy overview={value} />
        <Models overview={value} />
      </div>
      <Training overview={value} />
    </>
  );
}
