import { beforeAll, describe, expect, test } from "bun:test";
import { renderToString } from "preact-render-to-string";
import { backtest } from "#forecast/backtest.ts";
import { createCalendar } from "#forecast/data/calendar.ts";
import type { Replay } from "#forecast/judge/replay-forecasts.ts";
import { seededRandom } from "#forecast/lstm/seeded-random.ts";
import { SvgChart } from "#platform/page/picture/svg-chart.tsx";
import { areaPath, linePath, niceTicks, scalesOf } from "#platform/page/picture/svg-scale.ts";
import { minuteMs } from "#platform/time.ts";
import {
  busiestStretch,
  collectFans,
  collectPeaks,
  errorByHour,
  errorByStep,
  ownCalibration,
  spreadCalibration,
} from "#tools/reports/forecast/report-figures.ts";
import { peakChart } from "#tools/reports/page/forecast-charts.ts";
import { forecastReport } from "#tools/reports/page/forecast-report.tsx";
import type { ReportSection } from "#tools/reports/report-sections.ts";
import { steering } from "../../../fakes/hostile-text.ts";

/** Replay of forecasts of two steps each; the actual rates are the forecast times a ratio. */
function replayOf(ratios: readonly number[], judgedFrom: number, predicted = 10): Replay {
  return {
    origins: ratios.map((_, row) => 100 + 2 * row),
    judgedFrom,
    actual: ratios.map((ratio) => [predicted * ratio, (predicted * ratio) / 2]),
    forecasts: new Map([["m", ratios.map(() => [2 * predicted, predicted])]]),
    served: ratios.map(() => ({
      shares: { m: 1 },
      path: [1, 1.4, 1.45].map((factor) => [predicted * factor, (predicted / 2) * factor]),
      peak: [predicted, 1.4 * predicted, 1.45 * predicted],
      networkPeak: null,
    })),
  };
}

describe("the report's figures", () => {
  const random = seededRandom(1);
  const ratios = Array.from({ length: 600 }, () => 0.5 + random());

  test("a fan's quantiles are those of what the forecasts before it missed by", () => {
    const [fan] = collectFans(replayOf(ratios, 300), 700, 702);
    expect(fan?.origin).toBe(700);
    const before = ratios.slice(200, 300).sort((a, b) => a - b);
    // 100 ratios: the 6th and 11th of 101 ranks, rounded up; above the median the champion's own
    const ratiosOfBands = [before[5]!, before[10]!, 1, 1.4, 1.45];
    for (const [index, ratio] of ratiosOfBands.entries()) {
      expect(fan?.bands[0]?.[index]).toBeCloseTo(10 * ratio, 9);
      expect(fan?.bands[1]?.[index]).toBeCloseTo(5 * ratio, 9);
    }
  });

  test("fans do not overlap and begin in the judged part", () => {
    const replay = replayOf(ratios, 300);
    const dense = { ...replay, origins: replay.origins.map((_, row) => 100 + row) };
    const origins = collectFans(dense, 0, 410).map(({ origin }) => origin);
    expect(origins[0]).toBe(400);
    expect(origins.slice(0, 3)).toEqual([400, 402, 404]);
    expect(origins.at(-1)).toBe(408);
  });

  test("quantiles that hold what they promise lie on the diagonal", () => {
    // Ratios lie evenly between 0.5 and 1.5.
    for (const points of [ownCalibration(replayOf(ratios, 100)), spreadCalibration(replayOf(ratios, 300))]) {
      for (const { nominal, observed } of points) expect(Math.abs(observed - nominal)).toBeLessThan(0.08);
    }
    // From the judged part on up to four times as much comes.
    const drifting = replayOf(
      ratios.map((ratio, row) => (row < 300 ? ratio : 4 * ratio)),
      300,
    );
    for (const { observed } of ownCalibration(drifting)) expect(observed).toBe(0);
    expect(spreadCalibration(drifting).find(({ nominal }) => nominal === 0.5)!.observed).toBeLessThan(0.45);
  });

  test("peaks have their forecast bound", () => {
    const peaks = collectPeaks(replayOf(ratios, 500));
    expect(peaks).toHaveLength(100);
    expect(peaks[0]).toEqual({ origin: 1_100, actual: 10 * ratios[500]!, forecast: 10, upper: 14.5 });
  });

  test("errors by hour fall into the zone's hours, those by step into steps", () => {
    const replay = replayOf([1, 1, 2, 2], 2);
    // Origins 104 and 106 of a series that begins at midnight: hour 1 in UTC, hour 6:45 of Kathmandu.
    const byHour = errorByHour(replay, "champion", 0, minuteMs, "UTC");
    expect(byHour[1]).toBe(50);
    expect(byHour.filter((value) => value !== null)).toHaveLength(1);
    expect(errorByHour(replay, "champion", Date.UTC(2026, 0, 5), minuteMs, "Asia/Kathmandu")[7]).toBe(50);
    expect(errorByStep(replay, "champion", 2)).toEqual([50, 50]);
    expect(errorByStep(replay, "m", 2)).toEqual([0, 0]);
    expect(errorByStep(replay, "unknown", 2)).toEqual([null, null]);
  });

  test.each([
    { name: "in the middle", peak: 500, expected: { from: 450, to: 550 } },
    { name: "at the end", peak: 999, expected: { from: 900, to: 1_000 } },
    { name: "before the judged part: the highest of that", peak: 10, expected: { from: 102, to: 202 } },
  ])("the busiest stretch with its peak $name", ({ peak, expected }) => {
    const qps = Array.from({ length: 1_000 }, (_, index) => (index === peak ? 9 : index % 7 === 0 ? null : 1));
    expect(busiestStretch(qps, replayOf([1, 1], 1), 100)).toEqual(expected);
  });
});

describe("drawing", () => {
  test.each<{ from: number; to: number; expected: number[] }>([
    { from: 0, to: 9, expected: [0, 2, 4, 6, 8, 10] },
    { from: 0, to: 0.07, expected: [0, 0.02, 0.04, 0.06, 0.08] },
    { from: 0, to: 229_000, expected: [0, 50_000, 100_000, 150_000, 200_000, 250_000] },
    { from: 0, to: 0, expected: [0] },
    { from: 0, to: Number.NaN, expected: [0] },
  ])("ticks from $from to $to", ({ from, to, expected }) => {
    expect(niceTicks(from, to)).toEqual(expected);
  });

  const margin = { left: 56, right: 16, top: 10, bottom: 40 };
  const frame = { width: 172, height: 150, x: [0, 10], y: [0, 10], margin } as const;
  test("a line is lifted where a value is missing", () => {
    const points = [0, 1, null, Number.NaN, 4, 5].map((y, x) => ({ x, y }));
    expect(linePath(points, scalesOf(frame))).toBe("M56.0 110.0L66.0 100.0M96.0 70.0L106.0 60.0");
  });
  test("an area goes there above and back below", () => {
    expect(areaPath([0, 1], [0, 0], [1, 2], scalesOf(frame))).toBe("M56.0 100.0L66.0 90.0L66.0 110.0L56.0 110.0Z");
  });
  test("peaks are not joined over a stretch in which nothing was judged", () => {
    const axis = { startMs: 0, stepMs: minuteMs, timeZone: "UTC" };
    const at = (origin: number) => ({ origin, actual: 1, upper: 2 });
    const linesOf = (origins: readonly number[]) =>
      [
        ...renderToString(<SvgChart {...peakChart(axis, origins.map(at))} finding="" />).matchAll(
          /<path class="line"[^>]* d="([^"]*)"/g,
        ),
      ].map(([, path]) => path?.split("M").length);
    expect(linesOf([0, 5, 10, 15, 25])).toEqual([2, 2]);
    expect(linesOf([0, 5, 10, 15, 40, 45])).toEqual([3, 3]);
    expect(linesOf([7])).toEqual([2, 2]);
    expect(linesOf([])).toEqual([]);
  });
});

describe("the report", () => {
  const random = seededRandom(5);
  const startMs = Date.UTC(2026, 0, 5);
  const qps = Array.from({ length: 2_000 }, (_, minute) =>
    minute >= 1_800 && minute < 1_810 ? null : 20 + 10 * Math.sin(minute / 200) + 4 * random(),
  );
  const series = { startMs, qps, calendar: createCalendar("UTC", []) };
  const { replay, ...figures } = backtest(series, { stepMs: minuteMs, steps: 15, maxOrigins: 30, network: null });
  const section = (change: Partial<ReportSection> = {}): ReportSection => ({
    name: "a <trace> & more.csv",
    startMs,
    stepMs: minuteMs,
    steps: 15,
    timeZone: "Europe/Berlin",
    qps,
    figures,
    replay,
    ...change,
  });
  let html = "";
  beforeAll(async () => {
    html = await forecastReport([section(), section({ name: "second" })], "1.2.3");
  });

  test("is one file: nothing is fetched, nothing runs", () => {
    expect(html).not.toMatch(/\b(src|srcset)=|url\(|@import|<script|<link|https?:/);
    expect(html).toContain("a &lt;trace> &amp; more.csv");
    expect(html).not.toContain("<trace>");
  });

  test("names can't break out of the page, and steer nothing", async () => {
    const page = await forecastReport(
      [section({ name: `<b a='"&"><script>\u001b[31m\u202e${"x".repeat(10_000)}` })],
      "1",
    );
    expect(page).not.toMatch(/<script|<b /);
    expect(page).not.toMatch(steering);
    expect(page).toContain("&lt;b a='&quot;&amp;&quot;>");
    expect(page).not.toContain("x".repeat(400));
  });

  test("every plot of every trace is there and is drawn with numbers", async () => {
    const labels: string[] = [];
    const bad: string[] = [];
    let rows = 0;
    const rewriter = new HTMLRewriter()
      .on("svg", { element: (svg) => void labels.push(svg.getAttribute("aria-label") ?? "") })
      .on("path", {
        element: (path) =>
          void (/^M[-\d.MLZ ]+$/.test(path.getAttribute("d") ?? "") || bad.push(path.getAttribute("d") ?? "")),
      })
      .on("rect", { element: (rect) => void (Number(rect.getAttribute("height")) >= 0 || bad.push("rect")) })
      .on("table.rows tbody tr", {
        element: () => {
          rows += 1;
        },
      });
    await rewriter.transform(new Response(html)).text();
    const plots = [
      "Forecast fans against actual rates",
      "Peaks and their 0.95 quantile",
      "Error by hour of day",
      "Error by time ahead",
      "Calibration",
      "Pinball loss by model",
    ];
    expect(labels).toEqual([...plots, ...plots]);
    expect(bad).toEqual([]);
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
    expect(rows).toBe(2 * figures.rows.length);
  });

  test("a trace that falls silent still gives a page", async () => {
    const silent = qps.slice(0, 1_000).map((rate, minute) => (minute < 850 ? rate : minute % 50 === 0 ? 0.0001 : 0));
    const options = { stepMs: minuteMs, steps: 15, maxOrigins: 20, network: null };
    const { replay: silence, ...judged } = backtest({ ...series, qps: silent }, options);
    const page = await forecastReport([section({ qps: silent, figures: judged, replay: silence })], "1");
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
});
