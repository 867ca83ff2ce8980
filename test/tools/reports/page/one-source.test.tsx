import { expect, test } from "bun:test";
import { join } from "node:path";
import { Glob } from "bun";
import { renderToString } from "preact-render-to-string";
import { SvgChart } from "#platform/page/picture/svg-chart.tsx";
import { backtestReport } from "#tools/reports/page/backtest-report.tsx";
import { forecastReport } from "#tools/reports/page/forecast-report.tsx";

const root = join(import.meta.dir, "../../../..");
const filesOf = (pattern: string) => [...new Glob(pattern).scanSync({ cwd: root })].sort();
const read = (path: string) => Bun.file(join(root, path)).text();

const traces = [
  {
    ...{ name: "a <b>.csv", startMs: Date.UTC(2026, 0, 5), rates: [1, 2, 3, 2] },
    results: [{ policy: "mine", minutes: [1, 2, 3, 4].map((capacityQps) => ({ capacityQps, costUsd: 0.5 })) }] as never,
    rows: [["mine", "2.00"]],
  },
];

test("reports have the styles of the pages, and there are no others", async () => {
  const styles = await read("platform/page/styles.css");
  for (const html of [await backtestReport("a fleet", ["policy", "cost"], traces), await forecastReport([], "1")])
    expect(/<style>([\s\S]*?)<\/style>/.exec(html)?.[1]).toBe(styles);
  expect(filesOf("{agent,cli,controller,forecast,platform,protocol,tools}/**/*.css")).toEqual([
    "platform/page/styles.css",
  ]);
  for (const page of filesOf("{agent,controller}/**/page/index.html"))
    expect(await read(page)).toMatch(/href="(\.\.\/)+platform\/page\/styles\.css"/);
});

test("reports draw nothing by themselves: charts, tables and figures are the pages' parts", async () => {
  for (const path of filesOf("tools/**/*.{ts,tsx}"))
    expect({ path, source: await read(path) }).toEqual({
      path,
      source: expect.not.stringMatching(/<svg|<table|<path|<style>(?!\$)/),
    });
  // The chart that follows the pointer and the one of a file share picture, legend and table.
  for (const path of ["platform/page/chart.tsx", "platform/page/picture/svg-chart.tsx"]) {
    expect(await read(path)).toMatch(/ChartTable, .*Legend.*\} from "\.{1,2}\/chart-parts\.tsx"/);
    expect(await read(path)).toMatch(/Plot, .*\} from "\.\/.*plot\.tsx"/);
  }
});

test("a report of a backtest: a table, and two charts for each policy on one scale", async () => {
  const html = await backtestReport("hall <1>", ["policy", "cost"], traces);
  expect(html).not.toMatch(/\b(src|srcset)=|url\(|@import|<script|<link|https?:|NaN|undefined|<b>/);
  expect(html).toContain("<title>Backtest: hall &lt;1></title>");
  expect([...html.matchAll(/<svg[^>]* aria-label="([^"]*)"/g)].map(([, label]) => label)).toEqual([
    "mine: demand and capacity",
    "mine: paid so far",
  ]);
  expect(html).toContain("in all $2.00");
});

test("a picture of a chart leaves gaps, cuts what is above its edge, and draws nothing of nothing", () => {
  const draw = (values: readonly (number | null)[], more: object = {}) =>
    renderToString(
      <SvgChart
        title="t"
        finding="f"
        unit="u"
        times={values.map((_, index) => index)}
        series={[{ label: "s", values, color: "--c1" }]}
        xAxis={{ label: "x", format: String }}
        {...more}
      />,
    );
  const pathOf = (html: string) => /<path class="line"[^>]* d="([^"]*)"/.exec(html)?.[1] ?? null;
  expect(pathOf(draw([1, 2, null, 2, 1]))?.split("M")).toHaveLength(3);
  expect(pathOf(draw([null, null]))).toBeNull();
  expect(pathOf(draw([]))).toBeNull();
  const heights = [...(pathOf(draw([1, 1000, 1], { maxValue: 2 })) ?? "").matchAll(/ (-?[\d.]+)/g)].map(([, y]) =>
    Number(y),
  );
  expect(Math.min(...heights)).toBe(0);
  expect(draw([5], { series: [{ label: "s", values: [5], color: "--c1", kind: "bars" }] })).toMatch(
    /<rect [^>]*height="\d/,
  );
});
