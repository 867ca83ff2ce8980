import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { BacktestJob } from "#controller/scaling/backtest/job/backtest-jobs.ts";
import type { PlayedResult } from "#controller/scaling/backtest/job/backtest-question.ts";
import { getJson, sendJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import type { ChartColor } from "#platform/page/chart-parts.tsx";
import { noteAway } from "#platform/page/connection.ts";
import { formatDuration, formatMoney, formatNumber, formatShare, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { canOperate } from "#platform/page/session.ts";
import { type Column, Table } from "#platform/page/table.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { attempt, backtest, startBacktest } from "./policy-data.ts";

const spans = [
  [24, "a day"],
  [72, "3 days"],
  [168, "a week"],
  [336, "2 weeks"],
] as const;
const pollMs = 500;
const colors: readonly ChartColor[] = ["--c1", "--c6", "--c3", "--c4", "--c2", "--c5", "--c7"];

const columns: readonly Column<PlayedResult>[] = [
  { key: "label", label: "policy", cell: ({ label }) => safeText(label) },
  { key: "cost", label: "cost", isNumber: true, cell: ({ costUsd }) => quantityText(formatMoney(costUsd)) },
  { key: "energy", label: "energy", isNumber: true, cell: ({ energyKwh }) => `${formatNumber(energyKwh)} kWh` },
  {
    ...{ key: "slo", label: "SLO missed", isNumber: true },
    cell: ({ sloMinutes }) => `${formatNumber(sloMinutes)} min`,
  },
  { key: "lost", label: "not carried", isNumber: true, cell: ({ lostTexts }) => `${formatNumber(lostTexts)} texts` },
  {
    key: "starts",
    label: "starts",
    isNumber: true,
    isMinor: true,
    cell: ({ activations }) => formatNumber(activations),
  },
  {
    ...{ key: "use", label: "used", isNumber: true, isMinor: true },
    cell: ({ utilization }) => quantityText(formatShare(utilization)),
  },
];

function Result({ job }: { readonly job: BacktestJob }) {
  const { result } = job;
  if (result === null) return null;
  const { startMs, stepMs, demandQps, results } = result;
  const times = demandQps.map((_, step) => startMs + step * stepMs);
  const [first, second] = results;
  const cheaper =
    first === undefined || second === undefined
      ? ""
      : `${first.label} costs ${quantityText(formatMoney(first.costUsd))}, ${second.label} ${quantityText(formatMoney(second.costUsd))}`;
  return (
    <>
      <Chart
        title="Demand and capacity"
        finding={safeText(cheaper)}
        unit="texts/s"
        times={times}
        series={[
          { label: "demand", values: demandQps, color: "--c-idle", kind: "area" },
          ...results.map(({ label, capacityQps }, index) => ({
            ...{ label: safeText(label, 60), values: capacityQps, kind: "step" as const },
            color: colors[index % colors.length] as ChartColor,
            isDashed: index > 1,
          })),
        ]}
      />
      <Table
        caption="What each policy would have cost and carried"
        columns={columns}
        rows={results}
        rowKey={({ label }) => label}
        empty="none"
      />
    </>
  );
}

/** Follows a backtest that runs. */
function useProgress(): void {
  const job = backtest.value;
  const id = job?.state === "running" ? job.id : null;
  useEffect(() => {
    if (id === null) return undefined;
    const stop = new AbortController();
    const poll = async () => {
      try {
        const next = await getJson<BacktestJob>(`/api/v1/backtests/${id}`, stop.signal);
        if (stop.signal.aborted) return;
        backtest.value = next;
      } catch (error) {
        if (stop.signal.aborted) return;
        noteAway(error);
      }
      setTimeout(() => void (stop.signal.aborted || poll()), pollMs);
    };
    void poll();
    return () => stop.abort();
  }, [id]);
}

function Running({ job }: { readonly job: BacktestJob }) {
  const share = quantityText(formatShare(job.progress));
  const cancel = () =>
    attempt(async () => {
      backtest.value = await sendJson<BacktestJob>("DELETE", `/api/v1/backtests/${job.id}`);
    });
  return (
    <p>
      <progress max={1} value={job.progress} aria-label="Progress of the backtest" /> {share} of{" "}
      {quantityText(formatDuration(job.minutes * 60_000))} of traffic, {formatNumber(job.policies.length)} policies{" "}
      {canOperate.value ? (
        <button type="button" onClick={() => void cancel()}>
          Cancel the backtest
        </button>
      ) : null}
    </p>
  );
}

/** Backtest of the policy in the editor on the recorded traffic: started, followed, cancelled, and its result. */
export function BacktestCard() {
  const hours = useSignal(168);
  useProgress();
  const job = backtest.value;
  const isRunning = job?.state === "running";
  return (
    <section class="card" aria-label="Backtest">
      <div class="title">
        <h2>Backtest on the recorded traffic</h2>
        {job === null ? null : (
          <span class="muted">
            started {timeText(job.startedAtMs, "day")} by {safeText(job.by, 80)}
          </span>
        )}
      </div>
      {canOperate.value ? (
        <p class="buttons">
          <label>
            newest{" "}
            <select
              name="hours"
              value={String(hours.value)}
              onChange={(event) => {
                hours.value = Number(event.currentTarget.value);
              }}
            >
              {spans.map(([value, word]) => (
                <option key={value} value={String(value)}>
                  {word}
                </option>
              ))}
            </select>
          </label>
          <button type="button" disabled={isRunning} onClick={() => void startBacktest(hours.value)}>
            Start the backtest
          </button>
        </p>
      ) : null}
      <div role="status">
        {job === null ? <p class="muted">None was run since the controller started.</p> : null}
        {job?.state === "running" ? <Running job={job} /> : null}
        {job?.state === "cancelled" || job?.state === "failed" ? (
          <p class="note warn">▲ It has no result: {safeText(job.failure ?? job.state)}.</p>
        ) : null}
      </div>
      {job === null ? null : <Result job={job} />}
    </section>
  );
}
