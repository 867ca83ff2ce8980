import type { XAxis } from "#platform/page/chart-parts.tsx";
import { formatMoney, formatRate, formatTime, quantityText } from "#platform/page/format.ts";
import { SvgChart } from "#platform/page/picture/svg-chart.tsx";
import { timeTicks } from "#platform/page/picture/svg-scale.ts";
import { safeText } from "#platform/page/safe-text.ts";
import { Table } from "#platform/page/table.tsx";
import { minuteMs } from "#platform/time.ts";
import { version } from "#platform/version.ts";
import type * as declared from "../pages.d.ts";
import type { TraceReport } from "../report-sections.ts";
import { reportDocument } from "./report-document.tsx";

const maxPoints = 1000;

/** Keeps the highest value of each stretch, so that no peak is lost when a month is drawn a thousand points wide. */
function thinned(values: readonly number[]): number[] {
  const stride = Math.ceil(values.length / maxPoints);
  return Array.from({ length: Math.ceil(values.length / stride) }, (_, index) =>
    Math.max(...values.slice(index * stride, (index + 1) * stride)),
  );
}

function cumulated(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}

const axis: XAxis = { label: "time (UTC)", format: (ms) => formatTime(ms, "day", "UTC") };

function TraceSection({ header, trace }: { readonly header: readonly string[]; readonly trace: TraceReport }) {
  const { name, startMs, rates, results, rows } = trace;
  const demand = thinned(rates);
  const stride = Math.ceil(rates.length / maxPoints);
  const times = demand.map((_, index) => startMs + index * stride * minuteMs);
  const common = { times, xAxis: axis, xTicks: timeTicks(startMs, times.at(-1) ?? startMs), height: 200 };
  const drawn = results.map(({ policy, minutes }) => ({
    policy,
    capacity: thinned(minutes.map(({ capacityQps }) => capacityQps)),
    paid: thinned(cumulated(minutes.map(({ costUsd }) => costUsd))),
  }));
  // One scale for all policies, so that they can be compared by eye.
  const highestQps = Math.max(...demand, ...drawn.flatMap(({ capacity }) => capacity));
  const highestUsd = Math.max(...drawn.flatMap(({ paid }) => paid));
  return (
    <>
      <h2>{safeText(name)}</h2>
      <section class="card" aria-label={`Figures of ${safeText(name)}`}>
        <Table
          caption={`Policies on ${safeText(name)}`}
          columns={header.map((label, index) => ({
            ...{ key: String(index), label, isNumber: index > 0 },
            cell: (row: readonly string[]) => safeText(row[index] ?? ""),
          }))}
          rows={rows}
          rowKey={(row) => row[0] ?? ""}
          empty="no policy"
        />
      </section>
      {drawn.map(({ policy, capacity, paid }) => (
        <div class="columns" key={policy}>
          <SvgChart
            {...common}
            title={`${safeText(policy)}: demand and capacity`}
            unit="requests/s"
            finding={`highest demand ${quantityText(formatRate(Math.max(...demand), "requests/s"))}`}
            scaleTo={highestQps}
            series={[
              { label: "capacity", values: capacity, color: "--c-idle", kind: "area" },
              { label: "demand", values: demand, color: "--c1" },
            ]}
          />
          <SvgChart
            {...common}
            title={`${safeText(policy)}: paid so far`}
            unit="US$"
            finding={`in all ${formatMoney(paid.at(-1)).value}`}
            scaleTo={highestUsd}
            series={[{ label: "paid", values: paid, color: "--c3" }]}
          />
        </div>
      ))}
    </>
  );
}

/** Writes a report as one file: for each trace a table, and demand, capacity and cost over time for each policy. */
export const backtestReport: typeof declared.backtestReport = (fleetName, header, traces) =>
  reportDocument({
    title: `Backtest: ${fleetName}`,
    lead: "Recorded traffic replayed against a fleet, as each policy would have run it. Charts of the same trace share a scale.",
    origin: `thormesh ${version}, backtest`,
    children: traces.map((trace) => <TraceSection key={trace.name} header={header} trace={trace} />),
  });
