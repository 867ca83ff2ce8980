import { useMemo } from "preact/hooks";
import { getJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import { Figure, Figures } from "#platform/page/figure.tsx";
import { formatMoney, formatNumber, formatShare, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { type Column, Table } from "#platform/page/table.tsx";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";
import { query } from "#platform/page/url-state.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { CostControls, withFilter } from "./cost-controls.tsx";
import {
  againstBefore,
  type BudgetState,
  budgetOfStep,
  type CostState,
  dimensionWords,
  type Group,
  groupName,
  intervalText,
  type MonthlySpend,
  nextDimension,
  perMillion,
  type ShownSaving,
  shownTotal,
  stackOf,
  stateOf,
  type View,
  viewPath,
} from "./cost-data.ts";
import { MonthCard } from "./month-card.tsx";
import { Savings } from "./savings.tsx";

const periodMs = 30_000;
const slowMs = 5 * 60_000;
const money = (usd: number | null | undefined) => formatMoney(usd).value;
const stepWords = (stepMs: number) => (stepMs < 86_400_000 ? "hour" : stepMs === 86_400_000 ? "day" : "week");

interface Loaded {
  readonly view: View;
  readonly state: CostState;
  readonly spend: MonthlySpend | null;
  readonly budgets: readonly BudgetState[];
}

function CostFigures({ view, state, spend, budgets }: Loaded) {
  const total = shownTotal(view, state.hidesIdle);
  const idle = view.groups.find(({ kind }) => kind === "idle");
  const more = againstBefore(view);
  const asOf = { asOfMs: view.nowMs };
  const worst = [...budgets].sort((a, b) => b.usedPercent - a.usedPercent)[0];
  const isOver = worst !== undefined && worst.status !== "within";
  return (
    <Figures label="Costs">
      <Figure label={state.hidesIdle ? "cost without idle" : "cost"} quantity={formatMoney(total)} {...asOf} />
      <Figure
        label="against the period before"
        quantity={{ value: more === null ? "–" : `${more > 0 ? "+" : ""}${formatNumber(more * 100)}`, unit: "%" }}
        hint="as much of the time before, e.g. yesterday until this hour"
        {...asOf}
      >
        {money(view.previousUsd)} before
      </Figure>
      <Figure label="per million requests" quantity={formatMoney(perMillion(view.totalUsd, view.requests))} {...asOf}>
        {formatNumber(view.requests, 9)} requests
      </Figure>
      <Figure
        label="idle"
        quantity={formatShare(idle === undefined || view.totalUsd === 0 ? null : idle.usd / view.totalUsd)}
        hint="device time and energy that nobody used"
        {...asOf}
      >
        {money(idle?.usd)}
      </Figure>
      <Figure
        label="this month, projected"
        quantity={formatMoney(spend?.total.lowUsd === null ? null : spend?.total.expectedUsd)}
        hint="of the whole fleet; the truth is within the interval in 80 % of months"
        {...asOf}
      >
        {spend === null ? "–" : intervalText(spend.total)}
      </Figure>
      <Figure
        label="fullest budget"
        quantity={{ value: formatNumber(worst?.usedPercent), unit: "%" }}
        {...asOf}
        {...(isOver ? { tone: worst?.status === "exceeded" ? ("bad" as const) : ("warn" as const) } : {})}
      >
        {worst === undefined
          ? "no budget is set"
          : `${safeText(worst.budget.id, 40)}: ${money(worst.budget.amountUsd)} ${worst.budget.period}`}
      </Figure>
    </Figures>
  );
}

function Stack({ view, state, budgets }: Loaded) {
  const isFiltered = state.filters.length > 0;
  const budget = isFiltered ? null : budgetOfStep(budgets, view.stepMs);
  const chart = useMemo(() => stackOf(view, state.hidesIdle, budget), [view, state.hidesIdle, budget]);
  const [first] = view.groups;
  const share = first === undefined || view.totalUsd === 0 ? null : first.usd / view.totalUsd;
  const finding =
    first === undefined
      ? "nothing is on record"
      : `${money(shownTotal(view, state.hidesIdle))} in all; ${safeText(groupName(first, view.others), 40)} ${quantityText(formatShare(share))}`;
  const { startMs, endMs } = view.window;
  return (
    <Chart
      title={`Cost by ${dimensionWords[view.by]}`}
      unit={`$ each ${stepWords(view.stepMs)}`}
      finding={`${finding}; as of ${timeText(view.nowMs, "second")}`}
      height={280}
      isStacked
      span={[startMs, endMs]}
      formatValue={(value) => formatMoney(value).value}
      {...chart}
    />
  );
}

function GroupTable({ view, state }: Pick<Loaded, "view" | "state">) {
  const { by, others } = view;
  const rows = view.groups.filter(({ kind }) => !(state.hidesIdle && kind === "idle"));
  const total = shownTotal(view, state.hidesIdle);
  const columns: Column<Group>[] = [
    {
      key: "name",
      label: dimensionWords[by],
      cell: (group) => {
        const name = safeText(groupName(group, others), 64);
        if (group.kind !== "group" || group.name === "") return <span class="muted">{name}</span>;
        return <a href={withFilter(by, group.name, true, nextDimension[by])}>{name}</a>;
      },
    },
    { key: "usd", label: "cost, $", isNumber: true, cell: ({ usd }) => money(usd) },
    {
      key: "share",
      label: "share",
      isNumber: true,
      cell: ({ usd }) => quantityText(formatShare(total === 0 ? null : usd / total)),
    },
    {
      key: "requests",
      label: "requests",
      isNumber: true,
      isMinor: true,
      cell: ({ kind, requests }) => (kind === "idle" ? "–" : formatNumber(requests, 9)),
    },
    {
      key: "perMillion",
      title: "cost of a million requests",
      label: "per million, $",
      isNumber: true,
      cell: ({ kind, usd, requests }) => (kind === "idle" ? "–" : money(perMillion(usd, requests))),
    },
    {
      key: "energy",
      title: "energy above idle",
      label: "energy, kWh",
      isNumber: true,
      isMinor: true,
      cell: ({ kind, energyKwh }) => (kind === "idle" ? "–" : formatNumber(energyKwh)),
    },
  ];
  return (
    <Table
      caption={`Cost by ${dimensionWords[by]}`}
      columns={columns}
      rows={rows}
      rowKey={({ kind, name }) => `${kind} ${name}`}
      empty={
        state.filters.length > 0
          ? "Nothing on record in this time is like this."
          : "No minute of this time is on record yet: agents send one each minute."
      }
    />
  );
}

function Links({ state, view }: Pick<Loaded, "state" | "view">) {
  const command = [
    "thormesh cost",
    state.by === "tenant" ? "" : ` --by ${state.by}`,
    state.window === "7d" ? "" : ` --window ${state.window}`,
  ].join("");
  return (
    <p class="muted links">
      <a href={viewPath(state, "csv")} download>
        this table as CSV
      </a>
      <a href={`/api/v1/cost/export?window=${encodeURIComponent(state.window)}`} download>
        FOCUS 1.2
      </a>
      <a href="/api/v1/cost/chargeback?format=csv" download>
        chargeback of the month
      </a>
      <span>
        In a terminal: <code>{command}</code>
      </span>
      <span>as of {timeText(view.nowMs, "second")}</span>
    </p>
  );
}

/** Costs: stacked over time by a dimension, their projection, and by what less would be paid. */
export function CostPage() {
  const state = stateOf(query.value);
  const path = viewPath(state);
  const { value: view, refusal } = usePolled(path, periodMs, (signal) => getJson<View>(path, signal));
  const spend = usePolled("/spend", slowMs, (signal) => getJson<MonthlySpend>("/api/v1/cost/forecast", signal)).value;
  const budgets =
    usePolled("/budgets", periodMs, (signal) =>
      getJson<{ budgets: BudgetState[] }>("/api/v1/budgets", signal).then((answer) => answer.budgets),
    ).value ?? [];
  const savings = usePolled("/savings", slowMs, (signal) =>
    getJson<{ savings: ShownSaving[] }>("/api/v1/savings", signal).then((answer) => answer.savings),
  ).value;
  return (
    <>
      <h1 class="hidden">Cost</h1>
      {view === null ? null : <CostFigures {...{ view, state, spend, budgets }} />}
      <section class="card" aria-label="Costs over time">
        <h2 class="hidden">Costs over time</h2>
        <CostControls state={state} nowMs={view?.nowMs ?? serverNowMs()} />
        {refusal === null ? null : <p class="note warn">▲ {safeText(refusal.message)}</p>}
        {view?.warning == null ? null : <p class="note warn">▲ Not complete: {safeText(view.warning, 1_000)}.</p>}
        {view === null ? (
          <p class="muted">{refusal === null ? "adding up" : ""}</p>
        ) : (
          <>
            <Stack {...{ view, state, spend, budgets }} />
            <GroupTable view={view} state={state} />
            <Links view={view} state={state} />
          </>
        )}
      </section>
      <div class="columns">
        <MonthCard spend={spend} budgets={budgets} />
        <Savings savings={savings} />
      </div>
    </>
  );
}
