import type { PolicyOutlook } from "#controller/api/acting/policy-views.ts";
import { Chart } from "#platform/page/chart.tsx";
import type { ChartSeries } from "#platform/page/chart-parts.tsx";
import { safeText } from "#platform/page/safe-text.ts";
import { type Column, Table } from "#platform/page/table.tsx";
import { timeText } from "#platform/page/time-zone.ts";
import { preview } from "./policy-data.ts";

const dayMs = 86_400_000;

type Difference = NonNullable<typeof preview.value>["differences"][number];

const columns: readonly Column<Difference>[] = [
  { key: "path", label: "field", cell: ({ path }) => <code>{safeText(path)}</code> },
  { key: "before", label: "in force", cell: ({ before }) => safeText(before) },
  { key: "after", label: "given", cell: ({ after }) => safeText(after) },
];

/** Value of a policy at a time of the coming day. */
function at(outlook: PolicyOutlook, ms: number): PolicyOutlook["coming"][number] | undefined {
  return outlook.coming.findLast(({ fromMs }) => fromMs <= ms);
}

function ComingDay() {
  const shown = preview.value;
  if (shown === null) return null;
  const { given, inForce, atMs } = shown;
  const starts = [...given.coming, ...(inForce?.coming ?? [])].map(({ fromMs }) => fromMs);
  const times = [...new Set([atMs, ...starts, atMs + dayMs])].sort((a, b) => a - b);
  const series: ChartSeries[] = [
    { label: "most, given", values: times.map((ms) => at(given, ms)?.ceiling ?? null), color: "--c1", kind: "step" },
    { label: "least, given", values: times.map((ms) => at(given, ms)?.floor ?? null), color: "--c3", kind: "step" },
  ];
  if (inForce !== null)
    series.push(
      {
        ...{ label: "most, in force", color: "--c1", kind: "step", isDashed: true },
        values: times.map((ms) => at(inForce, ms)?.ceiling ?? null),
      },
      {
        ...{ label: "least, in force", color: "--c3", kind: "step", isDashed: true },
        values: times.map((ms) => at(inForce, ms)?.floor ?? null),
      },
    );
  return (
    <Chart
      title="What it allows in the coming day"
      finding={`from ${given.floor} to ${given.ceiling} agents now, by schedules and limits`}
      unit="agents"
      times={times}
      series={series}
      height={160}
    />
  );
}

/** Preview of the policy in the editor. */
export function PolicyPreviewCard() {
  const shown = preview.value;
  if (shown === null) return null;
  const { text, given, inForce, differences, atMs } = shown;
  return (
    <section class="card" aria-label="Preview">
      <div class="title">
        <h2>Preview</h2>
        <span class="muted">as of {timeText(atMs, "second")}</span>
      </div>
      <p class="note" data-preview="">
        {safeText(text, 1_000)}
      </p>
      <dl class="pairs">
        <dt>the given policy</dt>
        <dd>{safeText(given.reason, 1_000)}</dd>
        <dt>the policy in force</dt>
        <dd>{inForce === null ? "none" : safeText(inForce.reason, 1_000)}</dd>
      </dl>
      <h3>Differences to the policy in force</h3>
      <Table
        caption="Differences to the policy in force"
        columns={columns}
        rows={differences}
        rowKey={({ path }) => path}
        empty={inForce === null ? "no policy is in force" : "none"}
      />
      <ComingDay />
    </section>
  );
}
