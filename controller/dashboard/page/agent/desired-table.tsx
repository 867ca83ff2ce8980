import { formatDuration, quantityText } from "#platform/page/format.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { StatusWord } from "#platform/page/status-word.tsx";
import { type Column, Table } from "#platform/page/table.tsx";
import { serverNowMs, timeText } from "#platform/page/time-zone.ts";
import type { AgentDetail } from "./agent-data.ts";

interface Pair {
  readonly what: string;
  readonly desired: string;
  readonly reported: string;
  /** Null: nothing can be compared. */
  readonly isSame: boolean | null;
}

const columns: readonly Column<Pair>[] = [
  { key: "what", label: "setting", cell: ({ what }) => what },
  { key: "desired", label: "desired", cell: ({ desired }) => safeText(desired) },
  { key: "reported", label: "reported", cell: ({ reported }) => safeText(reported) },
  {
    key: "same",
    label: "compared",
    cell: ({ isSame }) =>
      isSame === null ? null : isSame ? (
        <StatusWord kind="good" word="as desired" />
      ) : (
        <StatusWord kind="warn" word="differs" />
      ),
  },
];

const whenText = (atMs: number | null) =>
  atMs === null
    ? "–"
    : `${timeText(atMs, "day")}, ${quantityText(formatDuration(Math.max(0, serverNowMs() - atMs)))} ago`;

/** Table of what the controller desires of an agent beside what that reports, each with its time. */
export function DesiredTable({ agent }: { readonly agent: AgentDetail }) {
  const { role, powerMode, desired, desiredVersion, reportedVersion, reportedAtMs, differs, brokerProblems } = agent;
  const cap = desired?.powerModeCap ?? null;
  const rows: Pair[] = [
    {
      what: "role",
      ...{ desired: role.desired ?? "–", reported: role.reported ?? "–" },
      isSame: role.desired === null || role.reported === null ? null : role.desired === role.reported,
    },
    {
      what: "power mode",
      desired: `${powerMode.desired ?? "its own choice"}${cap === null ? "" : `, at most ${cap}`}`,
      reported: powerMode.reported ?? "–",
      isSame:
        powerMode.desired === null || powerMode.reported === null ? null : powerMode.desired === powerMode.reported,
    },
    {
      what: "version of the document",
      ...{ desired: String(desiredVersion ?? "–"), reported: String(reportedVersion ?? "–") },
      isSame: desiredVersion === null || reportedVersion === null ? null : desiredVersion === reportedVersion,
    },
    { what: "when", desired: whenText(desired?.issuedAtMs ?? null), reported: whenText(reportedAtMs), isSame: null },
  ];
  const problems = [
    ...differs.map(({ field, reason }) => `${field}: ${reason}`),
    ...brokerProblems,
    ...(agent.unavailableReason === null ? [] : [`can't serve now: ${agent.unavailableReason}`]),
  ];
  return (
    <section class="card" aria-label="Desired and reported">
      <h2>Desired and reported</h2>
      <Table caption="Desired and reported" columns={columns} rows={rows} rowKey={({ what }) => what} empty="" />
      {desired === null ? null : <p class="muted">Why: {safeText(desired.reason)}</p>}
      {problems.map((problem) => (
        <p class="note warn" key={problem}>
          ▲ {safeText(problem)}
        </p>
      ))}
    </section>
  );
}
