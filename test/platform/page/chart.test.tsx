import { describe, expect, test } from "bun:test";
import { renderToString } from "preact-render-to-string";
import { Chart, nearestIndex } from "#platform/page/chart.tsx";
import type { ChartSeries } from "#platform/page/chart-parts.tsx";
import { inUtc } from "#platform/page/time-zone.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 5);

test.each([
  ["before the first", -5, 0],
  ["on a time", 10, 1],
  ["nearer to the one before", 14, 1],
  ["just between", 15, 1],
  ["nearer to the next", 16, 2],
  ["behind the last", 99, 3],
])("the time that is nearest to a moment %s", (_, atMs, index) => {
  expect(nearestIndex([0, 10, 20, 40], atMs)).toBe(index);
});

test("no time is near where there is none", () => {
  expect(nearestIndex([], 1)).toBeNull();
  expect(nearestIndex([7], 1)).toBe(0);
});

interface Given {
  readonly values?: readonly (number | null)[];
  readonly stepMs?: number;
  readonly series?: Partial<ChartSeries>;
}

/** Chart of values, one each step, in UTC. */
function draw({ values = [1, 2, 3], stepMs = hourMs, series = {}, ...more }: Given & Record<string, unknown>): string {
  inUtc.value = true;
  const times = values.map((_, index) => startMs + index * stepMs);
  const drawn = [{ label: "rate", values, color: "--c1" as const, ...series }];
  return renderToString(<Chart title="Traffic" finding="high" unit="texts/s" times={times} series={drawn} {...more} />);
}
const ticksOf = (html: string) => [...html.matchAll(/class="x-tick[^>]*>([^<]*)</g)].map(([, text]) => text);

describe("a chart", () => {
  test("is named by what it shows, with a grid of round values", () => {
    const html = draw({ values: [0, 3.2, 9.1] });
    expect(html).toContain('role="img" aria-label="Traffic: high"');
    expect([...html.matchAll(/class="y-tick"[^>]*>([^<]*)</g)].map(([, text]) => text)).toEqual([
      "0",
      "2",
      "4",
      "6",
      "8",
      "10",
    ]);
  });

  test.each([
    ["minutes", 60_000, 16, ["00:00", "00:02", "00:04"]],
    ["hours", hourMs, 9, ["00:00", "01:00", "02:00"]],
    ["days of hours", hourMs, 80, ["05 Jan, 00:00", "05 Jan, 12:00", "06 Jan, 00:00"]],
    ["days", 24 * hourMs, 7, ["05 Jan", "06 Jan", "07 Jan"]],
    ["months of days", 24 * hourMs, 31, ["07 Jan", "11 Jan", "15 Jan"]],
  ])("has its times at full %s", (_, stepMs, count, first) => {
    const ticks = ticksOf(draw({ values: Array.from({ length: count }, () => 1), stepMs }));
    expect(ticks.slice(0, 3)).toEqual(first);
    expect(ticks.length).toBeLessThan(11);
  });

  test("draws a value that holds as a step, and a gap as a gap", () => {
    const html = draw({ values: [1, 2, null, 1], series: { kind: "step" } });
    expect(/class="line"[^>]* d="([^"]*)"/.exec(html)?.[1]).toMatch(
      /^M0\.0 [\d.]+H320\.0V[\d.]+H640\.0M960\.0 [\d.]+$/,
    );
  });

  test("draws bars behind their times, all of the last one", () => {
    const html = draw({ values: [1, 2], stepMs: 24 * hourMs, series: { kind: "bars" } });
    expect([...html.matchAll(/<rect x="([\d.]+)"[^>]* width="([\d.]+)"/g)].map(([, x, width]) => [x, width])).toEqual([
      ["0.0", "408.0"],
      ["480.0", "408.0"],
    ]);
    // Each names its day, below its middle.
    expect(ticksOf(html)).toEqual(["05 Jan", "06 Jan"]);
    expect(html).toContain("left:21.25%");
  });

  test("marks moments within its time that do not lie upon each other, and lists all", () => {
    const markers = [-hourMs, hourMs, hourMs + 1_000, 90 * 60_000].map((ms, index) => ({
      ...{ atMs: startMs + ms, label: `decision ${index}`, href: `/decisions/${index}` },
    }));
    const html = draw({ markers });
    expect(html.match(/class="mark-line"/g)).toHaveLength(2);
    expect(html.match(/class="mark"/g)).toHaveLength(2);
    expect(html).toContain("4 marked moments");
  });

  test("of nothing says so", () => {
    expect(draw({ values: [] })).toContain("no values yet");
    expect(draw({ values: [null, null] })).toContain("no values yet");
    expect(draw({ values: [] })).not.toContain("NaN");
  });
});
