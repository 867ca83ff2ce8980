import { type BacktestRow, championName } from "#forecast/judge/judge-replay.ts";
import { Figure, Figures } from "#platform/page/figure.tsx";
import { BarList } from "#platform/page/picture/bar-list.tsx";
import { SvgChart } from "#platform/page/picture/svg-chart.tsx";
import { safeText } from "#platform/page/safe-text.ts";
import { Table } from "#platform/page/table.tsx";
import { minuteMs } from "#platform/time.ts";
import { backtestColumns, columnLegend } from "../forecast/backtest-columns.ts";
import {
  busiestStretch,
  collectFans,
  collectPeaks,
  errorByHour,
  errorByStep,
  ownCalibration,
  spreadCalibration,
} from "../forecast/report-figures.ts";
import type * as declared from "../pages.d.ts";
import type { ReportSection } from "../report-sections.ts";
import { calibrationChart, fanChart, hourChart, modelBars, peakChart, stepChart } from "./forecast-charts.ts";
import { reportDocument } from "./report-document.tsx";

/** Steps of the stretch that is shown in detail. */
const closeSteps = 480;

const percent = (value: number | null | undefined) => ({
  ...{ value: value == null ? "–" : value.toFixed(1), unit: "%" },
});
const percentText = (value: number | null) => (value === null ? "unknown" : `${value.toFixed(1)} %`);

/** Name of the simple model with the smallest error, which the champion has to beat. */
function bestSimple({ figures }: ReportSection, errorOf: (row: BacktestRow) => number | null): string | null {
  const simple = figures.rows.filter(({ model }) => model !== championName && model !== "lstm");
  return simple.sort((a, b) => (errorOf(a) ?? 0) - (errorOf(b) ?? 0))[0]?.model ?? null;
}

function Tiles({ section, endMs }: { readonly section: ReportSection; readonly endMs: number }) {
  const { figures, steps } = section;
  const champion = figures.rows.find(({ model }) => model === championName);
  const peakRival = bestSimple(section, (row) => row.peakPinballPercent);
  if (champion === undefined) return null;
  const ofReport = { asOfMs: endMs, stale: false } as const;
  return (
    <Figures label="The champion">
      <Figure label="WAPE of the champion" quantity={percent(champion.path.wapePercent)} {...ofReport}>
        noise alone: {percentText(figures.poissonFloorPercent)}
      </Figure>
      <Figure label="WAPE of the peak" quantity={percent(champion.peak.wapePercent)} {...ofReport}>
        highest of {steps} steps
      </Figure>
      <Figure label="Peaks within the 0.95 quantile" quantity={percent(100 * champion.coverage95)} {...ofReport}>
        95 % nominal
      </Figure>
      <Figure label="Skill" quantity={percent(100 * champion.skill)} {...ofReport}>
        {peakRival === null ? undefined : `peak pinball against ${safeText(peakRival)}`}
      </Figure>
    </Figures>
  );
}

function ModelTable({ figures }: ReportSection) {
  return (
    <details class="card">
      <summary>All figures</summary>
      <Table
        caption="All figures by model"
        columns={[
          { key: "model", label: "model", cell: ({ model }: BacktestRow) => safeText(model) },
          ...backtestColumns.map(([label, cell]) => ({ ...{ key: label, label, isNumber: true }, cell })),
        ]}
        rows={figures.rows}
        rowKey={({ model }) => model}
        empty="no model"
      />
      <p class="muted">{columnLegend}</p>
    </details>
  );
}

function TraceSection({ section, index }: { readonly section: ReportSection; readonly index: number }) {
  const { name, startMs, stepMs, steps, timeZone, qps, figures, replay } = section;
  const axis = { startMs, stepMs, timeZone };
  const stretch = busiestStretch(qps, replay, closeSteps);
  const rival = bestSimple(section, (row) => row.path.wapePercent);
  const against = (values: (model: string) => (number | null)[]) =>
    rival === null ? null : { name: rival, values: values(rival) };
  const day = (timeMs: number) => new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "medium" }).format(timeMs);
  const judgedFromMs = startMs + (replay.origins[replay.judgedFrom] ?? 0) * stepMs;
  const endMs = startMs + qps.length * stepMs;
  const shares = Object.entries(figures.championShares)
    .sort(([, a], [, b]) => b - a)
    .map(([model, share]) => `${safeText(model)} ${(100 * share).toFixed(0)} %`)
    .join(", ");
  const peaks = collectPeaks(replay);
  const broken = peaks.filter(({ actual, upper }) => actual > upper).length;
  const versus = rival === null ? "of the champion" : `the champion beside ${safeText(rival)}`;
  return (
    <>
      <h2 id={`trace-${index}`}>{safeText(name)}</h2>
      <p>
        {figures.origins} forecasts of {(steps * stepMs) / minuteMs} minutes in steps of {stepMs / 1000} s, judged from{" "}
        {day(judgedFromMs)} to {day(endMs)}. Mean shares in the champion: {shares}.
        {figures.leftOut.length === 0 ? "" : ` Too little record for ${safeText(figures.leftOut.join(", "))}.`}
      </p>
      <Tiles section={section} endMs={endMs} />
      <SvgChart
        {...fanChart(axis, qps, stretch, collectFans(replay, stretch.from, stretch.to))}
        finding="the busiest part of the judged period"
      >
        Each fan was made from the record before it: its upper ends (90 % and 95 %) are the champion's own quantiles,
        its lower ones (10 % and 5 %) come from the errors of the newest 100 forecasts before it.
      </SvgChart>
      <SvgChart {...peakChart(axis, peaks)} finding={`${broken} of ${peaks.length} peaks above their bound`}>
        A scaler that plans for the bound runs short only where marked.
      </SvgChart>
      <div class="columns">
        <SvgChart
          {...hourChart(
            errorByHour(replay, championName, startMs, stepMs, timeZone),
            against((model) => errorByHour(replay, model, startMs, stepMs, timeZone)),
            timeZone,
          )}
          finding={versus}
        >
          Where a bar is above its mark, the best simple model would have been better.
        </SvgChart>
        <SvgChart
          {...stepChart(
            errorByStep(replay, championName, steps),
            against((model) => errorByStep(replay, model, steps)),
            stepMs,
          )}
          finding={versus}
        >
          The error grows with the time ahead.
        </SvgChart>
        <SvgChart {...calibrationChart(ownCalibration(replay), spreadCalibration(replay))} finding="of the peaks">
          On the dashed line a quantile covers its nominal share of the peaks; below it, fewer.
        </SvgChart>
        <figure class="chart card">
          <figcaption>
            <h3>Pinball loss of the peak, by model</h3>
            <span class="finding">less is better</span>
          </figcaption>
          <BarList title="Pinball loss by model" rows={modelBars(figures.rows)} main={championName} />
          <p class="muted">Mean loss of the quantiles 0.5, 0.9 and 0.95, in percent of the mean rate.</p>
        </figure>
      </div>
      <ModelTable {...section} />
    </>
  );
}

/** Writes a report as one file: how well each model would have forecast recorded traffic. */
export const forecastReport: typeof declared.forecastReport = (sections, version) =>
  reportDocument({
    title: "Forecast backtest",
    lead: "Forecasts that each model would have made of recorded traffic, and their errors. The oldest 70 % of a trace is known from the start, the next 15 % calibrates the quantiles, and the newest 15 % is judged.",
    origin: `thormesh ${version}, forecast backtest`,
    children: (
      <>
        {sections.length > 1 ? (
          <nav class="title" aria-label="Traces">
            {sections.map(({ name }, index) => (
              <a key={name} href={`#trace-${index}`}>
                {safeText(name)}
              </a>
            ))}
          </nav>
        ) : null}
        {sections.map((section, index) => (
          <TraceSection key={section.name} section={section} index={index} />
        ))}
      </>
    ),
  });
