import type { PolicyResult } from "#controller/scaling/backtest/run-backtest.ts";
import { minuteMs } from "#platform/time.ts";
import { escapeHtml } from "#tools/reports/forecast/svg-chart.ts";

const width = 1000;
const height = 160;
const maxPoints = 1000;

/** Keeps the highest value of each stretch, so that no peak is lost when a month is drawn a thousand points wide. */
function thinned(values: readonly number[]): number[] {
  const stride = Math.ceil(values.length / maxPoints);
  return Array.from({ length: Math.ceil(values.length / stride) }, (_, index) =>
    Math.max(...values.slice(index * stride, (index + 1) * stride)),
  );
}

function line(values: readonly number[], highest: number, css: string): string {
  const points = thinned(values).map((value, index, all) => {
    const x = (index / Math.max(1, all.length - 1)) * width;
    return `${x.toFixed(1)},${(height - (value / (highest || 1)) * height).toFixed(1)}`;
  });
  return `<polyline class="${css}" points="${points.join(" ")}"/>`;
}

const figureText = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
const dayText = (atMs: number) => new Date(atMs).toISOString().slice(0, 16).replace("T", " ");

/** Draws values from zero to `highest` over time, with the ends of both axes as text. */
function chart(
  title: string,
  lines: readonly { readonly values: readonly number[]; readonly css: string }[],
  highest: number,
  { startMs, minutes }: { readonly startMs: number; readonly minutes: number },
): string {
  const drawn = lines.map(({ values, css }) => line(values, highest, css)).join("");
  const half = `<line class="half" x1="0" x2="${width}" y1="${height / 2}" y2="${height / 2}"/>`;
  const axis = `<div class="axis"><span>${dayText(startMs)}</span><span>${dayText(startMs + (minutes * minuteMs) / 2)}</span><span>${dayText(startMs + minutes * minuteMs)} UTC</span></div>`;
  return `<figure><figcaption>${title}; the upper edge is ${figureText(highest)}</figcaption><svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${half}${drawn}</svg>${axis}</figure>`;
}

function cumulated(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}

/** Renders a self-contained page: for each trace a table, and demand, capacity and cost over time for each policy. */
export function renderHtml(
  fleetName: string,
  header: readonly string[],
  traces: readonly {
    name: string;
    startMs: number;
    rates: readonly number[];
    results: readonly PolicyResult[];
    rows: readonly (readonly string[])[];
  }[],
): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("");
  const sections = traces.map(({ name, startMs, rates, results, rows }) => {
    const table = `<table><tr>${cells(header, "th")}</tr>${rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")}</table>`;
    const time = { startMs, minutes: rates.length };
    const drawn = results.map(({ policy, minutes }) => ({
      policy,
      capacity: minutes.map(({ capacityQps }) => capacityQps),
      paid: cumulated(minutes.map(({ costUsd }) => costUsd)),
    }));
    // One scale for all policies, so that they can be compared by eye.
    const highest = (values: readonly (readonly number[])[]) => Math.max(...values.flatMap(thinned));
    const highestQps = highest([rates, ...drawn.map(({ capacity }) => capacity)]);
    const highestUsd = highest(drawn.map(({ paid }) => paid));
    const charts = drawn.map(({ policy, capacity, paid }) => {
      const lines = [
        { values: capacity, css: "capacity" },
        { values: rates, css: "demand" },
      ];
      return `<h3>${escapeHtml(policy)}</h3>${chart("demand (blue) and capacity (grey), requests/s", lines, highestQps, time)}${chart("paid so far, US$", [{ values: paid, css: "cost" }], highestUsd, time)}`;
    });
    return `<h2>${escapeHtml(name)}</h2>${table}${charts.join("")}`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>thormesh backtest</title><style>
body{font:14px system-ui;max-width:1040px;margin:2em auto;padding:0 1em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}svg{width:100%;height:160px;border:1px solid #ddd}polyline{fill:none;stroke-width:1.2;vector-effect:non-scaling-stroke}
line.half{stroke:#eee;vector-effect:non-scaling-stroke}.axis{display:flex;justify-content:space-between;color:#666;font-size:12px}
.demand{stroke:#1565c0}.capacity{stroke:#999}.cost{stroke:#2e7d32}figure{margin:.5em 0}</style></head><body><h1>Backtest: ${escapeHtml(fleetName)}</h1>${sections.join("")}</body></html>
`;
}
