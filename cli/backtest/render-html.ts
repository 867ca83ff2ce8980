import type { PolicyResult } from "#controller/scaling/backtest/run-backtest.ts";

const width = 1000;
const height = 160;
const mostPoints = 1000;
const escapeHtml = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** The highest of each stretch, so that no peak is lost when a month is drawn a thousand points wide. */
function thinned(values: readonly number[]): number[] {
  const stride = Math.ceil(values.length / mostPoints);
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

function chart(title: string, lines: readonly { values: readonly number[]; css: string }[]): string {
  const highest = Math.max(...lines.flatMap(({ values }) => thinned(values)));
  const drawn = lines.map(({ values, css }) => line(values, highest, css)).join("");
  return `<figure><figcaption>${title}, up to ${highest.toPrecision(3)}</figcaption><svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${drawn}</svg></figure>`;
}

function cumulated(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => {
    sum += value;
    return sum;
  });
}

/** A page of its own, without anything from elsewhere: for each trace the table, and demand, capacity and cost over time for each policy. */
export function renderHtml(
  fleetName: string,
  header: readonly string[],
  traces: readonly {
    name: string;
    rates: readonly number[];
    results: readonly PolicyResult[];
    rows: readonly (readonly string[])[];
  }[],
): string {
  const cells = (row: readonly string[], tag: string) =>
    row.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("");
  const sections = traces.map(({ name, rates, results, rows }) => {
    const table = `<table><tr>${cells(header, "th")}</tr>${rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")}</table>`;
    const charts = results.map(({ policy, minutes }) => {
      const capacity = minutes.map(({ capacityQps }) => capacityQps);
      const cost = cumulated(minutes.map(({ costUsd }) => costUsd));
      return `<h3>${escapeHtml(policy)}</h3>${chart("demand (blue) and capacity (grey), qps", [
        { values: capacity, css: "capacity" },
        { values: rates, css: "demand" },
      ])}${chart("cost so far, US$", [{ values: cost, css: "cost" }])}`;
    });
    return `<h2>${escapeHtml(name)}</h2>${table}${charts.join("")}`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>thormesh backtest</title><style>
body{font:14px system-ui;max-width:1040px;margin:2em auto;padding:0 1em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}svg{width:100%;height:160px;border:1px solid #ddd}polyline{fill:none;stroke-width:1.2;vector-effect:non-scaling-stroke}
.demand{stroke:#1565c0}.capacity{stroke:#999}.cost{stroke:#2e7d32}figure{margin:.5em 0}</style></head><body><h1>Backtest: ${escapeHtml(fleetName)}</h1>${sections.join("")}</body></html>
`;
}
