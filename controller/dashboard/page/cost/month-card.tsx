import { useMemo } from "preact/hooks";
import { getJson } from "#platform/page/api-client.ts";
import { Chart } from "#platform/page/chart.tsx";
import { formatMoney, formatNumber } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, Table } from "#platform/page/table.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { usePolled } from "#platform/page/use-polled.ts";
import { type BudgetState, budgetStatus, intervalText, type MonthlySpend, monthOf, type View } from "./cost-data.ts";

const periodMs = 60_000;
const money = (usd: number | null | undefined) => formatMoney(usd).value;

const columns: readonly Column<BudgetState>[] = [
  {
    key: "id",
    label: "budget",
    cell: ({ budget: { id, scope, period } }) => (
      <>
        {safeText(id, 64)}
        <div class="muted">
          {scope.kind === "fleet" ? "the fleet" : `${scope.kind} ${safeText(scope.name ?? "", 64)}`}, {period}
        </div>
      </>
    ),
  },
  { key: "status", label: "state", cell: ({ status }) => <StatusWord {...budgetStatus[status]} /> },
  { key: "amount", label: "amount, $", isNumber: true, cell: ({ budget }) => money(budget.amountUsd) },
  {
    key: "spent",
    label: "spent, $",
    isNumber: true,
    cell: ({ spentUsd, usedPercent }) => `${money(spentUsd)} (${formatNumber(usedPercent, 2)} %)`,
  },
  {
    key: "projected",
    label: "at its end, $",
    isNumber: true,
    isMinor: true,
    cell: ({ projectedUsd, spentByMs }) => (
      <>
        {money(projectedUsd)}
        {spentByMs === null ? null : <div class="muted">spent by {timeText(spentByMs, "day")}</div>}
      </>
    ),
  },
];

/** The month: spent, projected with an interval, and the budgets. */
export function MonthCard({
  spend,
  budgets,
}: {
  readonly spend: MonthlySpend | null;
  readonly budgets: readonly BudgetState[];
}) {
  const month = usePolled("/month", periodMs, (signal) =>
    getJson<View>("/api/v1/cost/view?window=month&by=region&top=100", signal),
  ).value;
  const ofMonth = budgets.find(({ budget }) => budget.scope.kind === "fleet" && budget.period === "monthly");
  const amount = ofMonth?.budget.amountUsd ?? null;
  const chart = useMemo(() => {
    if (month === null || spend === null) return null;
    const [year = 0, of = 1] = spend.month.split("-").map(Number);
    return monthOf(month, spend, ofMonth?.period.endMs ?? Date.UTC(year, of, 1), amount);
  }, [month, spend, amount]);
  return (
    <section class="card" aria-label="This month">
      <h2 class="hidden">This month</h2>
      {chart === null || spend === null ? (
        <p class="muted">adding up the month</p>
      ) : (
        <Chart
          title={`The month ${spend.month}`}
          unit="$, added up"
          finding={`${money(spend.spentUsd)} spent; ${money(spend.total.expectedUsd)} expected, ${intervalText(spend.total)}; as of ${timeText(month?.nowMs, "second")}`}
          formatValue={(value) => formatMoney(value).value}
          {...chart}
        />
      )}
      {spend === null ? null : (
        <p class="muted">
          {safeText(spend.reason, 600)}. Next month ({spend.next.month}): {money(spend.next.expectedUsd)},{" "}
          {intervalText(spend.next)}.
        </p>
      )}
      <Table
        caption="Budgets"
        columns={columns}
        rows={budgets}
        rowKey={({ budget }) => budget.id}
        empty={
          <>
            No budget is set: <code>thormesh budgets set fleet --amount 300</code>
          </>
        }
      />
    </section>
  );
}
