import { formatMoney } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { type Column, Table } from "#platform/page/table.tsx";
import type { ShownSaving } from "./cost-data.ts";

const shapes = { low: "○ low", medium: "◐ medium", high: "● high" } as const;

const columns: readonly Column<ShownSaving>[] = [
  {
    key: "action",
    label: "what to do",
    isLong: true,
    cell: ({ action, evidence }) => (
      <>
        {safeText(action, 300)}
        <div class="muted">{safeText(evidence, 600)}</div>
      </>
    ),
  },
  { key: "usd", label: "saves a year, $", isNumber: true, cell: ({ yearlyUsd }) => formatMoney(yearlyUsd).value },
  { key: "risk", label: "risk", cell: ({ risk }) => <span class="nowrap">{shapes[risk]}</span> },
  { key: "effort", label: "effort", isMinor: true, cell: ({ effort }) => <span class="nowrap">{shapes[effort]}</span> },
];

/** Advice by which less would be paid, each with its amount, risk and evidence. */
export function Savings({ savings }: { readonly savings: readonly ShownSaving[] | null }) {
  const sum = savings?.reduce((total, { yearlyUsd }) => total + yearlyUsd, 0);
  return (
    <section class="card" aria-label="Savings">
      <div class="title">
        <h2>Savings</h2>
        <span class="muted">
          {savings === null || savings.length === 0 ? "" : `${formatMoney(sum).value} a year, if it goes on so`}
        </span>
      </div>
      <Table
        caption="Savings"
        columns={columns}
        rows={savings ?? []}
        rowKey={({ kind, target, action }) => `${kind} ${target} ${action}`}
        empty={
          savings === null ? "looking" : "Nothing was found by which less would be paid: a week on record tells most."
        }
      />
    </section>
  );
}
