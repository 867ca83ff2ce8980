import type { Backtest } from "#forecast/backtest.ts";
import { type BacktestRow, championName } from "#forecast/judge/judge-replay.ts";
import type { Replay } from "#forecast/judge/replay-forecasts.ts";
import { minuteMs } from "#platform/time.ts";
import { backtestColumns, columnLegend } from "./backtest-columns.ts";
import { calibrationChart, fanChart, hourChart, modelChart, peakChart, stepChart } from "./charts.ts";
import {
  busiestStretch,
  collectFans,
  collectPeaks,
  errorByHour,
  errorByStep,
  ownCalibration,
  spreadCalibration,
} from "./report-figures.ts";
import { reportStyle } from "./report-style.ts";
import { escapeHtml } from "./svg-chart.ts";

/** One trace's part of the report. */
export interface ReportSection {
  readonly name: string;
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  readonly timeZone: string;
  /** The whole series, requests per second; null: not counted. */
  readonly qps: readonly (number | null)[];
  readonly figures: Omit<Backtest, "replay">;
  readonly replay: Replay;
}

/** Steps of the stretch that is shown in detail. */
const closeSteps = 480;

const percent = (value: number | null, digits = 1) => (value === null ? "–" : `${value.toFixed(digits)} %`);

function tile(label: string, value: string, note: string): string {
  return `<div class="tile"><div class="what">${label}</div><div class="value">${value}</div><div class="note">${note}</div></div>`;
}

function table({ figures }: ReportSection): string {
  const headings = ["model", ...backtestColumns.map(([heading]) => heading)];
  const rows = figures.rows.map((row) => {
    const cells = [escapeHtml(row.model), ...backtestColumns.map(([, cell]) => cell(row))];
    const kind = row.model === championName ? ' class="champion"' : "";
    return `<tr${kind}>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${headings.map((heading) => `<th>${heading}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

function figure(title: string, legend: string, chart: string, text: string): string {
  return `<figure><figcaption><h3>${title}</h3>${legend === "" ? "" : `<div class="legend">${legend}</div>`}</figcaption>${chart}<p class="text">${text}</p></figure>`;
}

const key = (kind: string, text: string) => `<span><i class="key ${kind}"></i>${escapeHtml(text)}</span>`;

/** Name of the simple model with the smallest error, which the champion has to beat. */
function bestSimple({ figures }: ReportSection, errorOf: (row: BacktestRow) => number | null): string | null {
  const simple = figures.rows.filter(({ model }) => model !== championName && model !== "lstm");
  return simple.sort((a, b) => (errorOf(a) ?? 0) - (errorOf(b) ?? 0))[0]?.model ?? null;
}

function renderSection(section: ReportSection, index: number): string {
  const { name, startMs, stepMs, steps, timeZone, qps, figures, replay } = section;
  const axis = { startMs, stepMs, timeZone };
  const stretch = busiestStretch(qps, replay, closeSteps);
  const champion = figures.rows.find(({ model }) => model === championName);
  const rival = bestSimple(section, (row) => row.path.wapePercent);
  const peakRival = bestSimple(section, (row) => row.peakPinballPercent);
  const against = (values: (model: string) => (number | null)[]) =>
    rival === null ? null : { name: rival, values: values(rival) };
  const day = (timeMs: number) => new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "medium" }).format(timeMs);
  const judgedFromMs = startMs + (replay.origins[replay.judgedFrom] ?? 0) * stepMs;
  const endMs = startMs + qps.length * stepMs;
  const shares = Object.entries(figures.championShares)
    .sort(([, a], [, b]) => b - a)
    .map(([model, share]) => `${escapeHtml(model)} ${(100 * share).toFixed(0)} %`)
    .join(", ");
  const legend = rival === null ? key("bar", "champion") : key("bar", "champion") + key("mark", rival);
  const tiles =
    champion === undefined
      ? ""
      : [
          tile(
            "WAPE of the champion",
            percent(champion.path.wapePercent),
            `noise alone: ${percent(figures.poissonFloorPercent)}`,
          ),
          tile("WAPE of the peak", percent(champion.peak.wapePercent), `highest of ${steps} steps`),
          tile("Peaks within the 0.95 quantile", percent(100 * champion.coverage95), "95 % nominal"),
          tile(
            "Skill",
            percent(100 * champion.skill),
            peakRival === null ? "" : `peak pinball against ${escapeHtml(peakRival)}`,
          ),
        ].join("");
  return `<section id="trace-${index}">
<h2>${escapeHtml(name)}</h2>
<p class="lead">${figures.origins} forecasts of ${(steps * stepMs) / minuteMs} minutes in steps of ${stepMs / 1000} s, judged from ${day(judgedFromMs)} to ${day(endMs)}. Mean shares in the champion: ${shares}.${figures.leftOut.length === 0 ? "" : ` Too little record for ${escapeHtml(figures.leftOut.join(", "))}.`}</p>
<div class="tiles">${tiles}</div>
${figure(
  "Forecast fans against actual rates",
  key("actual", "actual") + key("forecast", "median") + key("inner", "10 % to 90 %") + key("outer", "5 % to 95 %"),
  fanChart(axis, qps, stretch, collectFans(replay, stretch.from, stretch.to)),
  "The busiest stretch of the judged part. Each fan was made from the record before it: its upper ends are the champion's own quantiles, its lower ones come from the errors of the newest 100 forecasts before it.",
)}
${figure(
  "Peaks and their bound",
  key("actual", "highest step, actual") +
    key("forecast", "its 0.95 quantile, forecast") +
    key("broken", "above the bound"),
  peakChart(axis, collectPeaks(replay)),
  "A scaler that sizes for the bound runs short only at the marked places.",
)}
<div class="pair">
${figure(
  "Error by hour of day",
  legend,
  hourChart(
    errorByHour(replay, championName, startMs, stepMs, timeZone),
    against((model) => errorByHour(replay, model, startMs, stepMs, timeZone)),
    timeZone,
  ),
  "Where a bar is above its mark, the best simple model would have been better.",
)}
${figure(
  "Error by time ahead",
  legend,
  stepChart(
    errorByStep(replay, championName, steps),
    against((model) => errorByStep(replay, model, steps)),
    stepMs,
  ),
  "Growth of the error with the time ahead.",
)}
${figure("Calibration of the peak", key("dot", "the champion's quantiles") + key("forecast", "spread about its median") + key("ideal", "ideal"), calibrationChart(ownCalibration(replay), spreadCalibration(replay)), "On the dashed line a quantile covers its nominal share of the peaks; below it, fewer.")}
${figure("Pinball loss of the peak, by model", "", modelChart(figures.rows), "Mean loss of the quantiles 0.5, 0.9 and 0.95, in percent of the mean rate; less is better.")}
</div>
<details><summary>All figures</summary>${table(section)}
<p class="text">${columnLegend}</p></details>
</section>`;
}

/** Renders a self-contained page: no script, and no font or picture from elsewhere. */
export function renderReport(sections: readonly ReportSection[], version: string): string {
  const links = sections.map(({ name }, index) => `<a href="#trace-${index}">${escapeHtml(name)}</a>`).join("");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Forecast backtest</title>
<style>${reportStyle}</style>
</head>
<body>
<header><h1>Forecast backtest</h1>
<p>Forecasts that each model would have made of recorded traffic, and their errors. The oldest 70 % of a trace are known from the start, the next 15 % calibrate the quantiles, the newest 15 % are judged.</p>
${sections.length > 1 ? `<nav>${links}</nav>` : ""}</header>
<main>
${sections.map(renderSection).join("\n")}
</main>
<footer>thormesh ${escapeHtml(version)}, forecast backtest</footer>
</body>
</html>
`;
}
