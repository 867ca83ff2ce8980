import { describe, expect, test } from "bun:test";
import { agentView } from "#controller/api/agent-views.ts";
import { parseAgentFilter, filterFields as serverFields } from "#controller/dashboard/agent-filter.ts";
import type { AgentRow } from "#controller/dashboard/agent-row.ts";
import type { FleetHistoryView } from "#controller/dashboard/history-routes.ts";
import { completeFilter, filterFields, readLastTerm } from "#controller/dashboard/page/fleet/complete-filter.ts";
import { highest, joinTraffic, refusedOf } from "#controller/dashboard/page/fleet/fleet-history.ts";
import { withLiveRow } from "#controller/dashboard/page/fleet/live-agent.ts";
import { cellColor, placeOf } from "#controller/dashboard/page/fleet/map-cells.ts";
import { aForecast, anAgent } from "../../../../fakes/builders.ts";

const minuteMs = 60_000;

function past(
  minutes: readonly number[],
  rates: readonly number[],
  capacity: readonly (number | null)[],
): FleetHistoryView {
  const none = minutes.map(() => null);
  return {
    nowMs: (minutes.at(-1) ?? 0) + minuteMs,
    traffic: { minutes: [...minutes], textsPerS: [...rates] },
    minutes: [...minutes],
    figures: {
      ...{ serving: none, textsPerS: none, capacityTextsPerS: capacity, forecastPeakTextsPerS: none },
      ...{ forecastPeak95TextsPerS: none, p95Ms: none, refusedQueuePerS: none, refusedDeadlinePerS: none },
      ...{ refusedErrorPerS: none, refusedRateLimitPerS: none, watts: none, usdPerHour: none },
    },
  };
}

describe("the traffic chart's lines", () => {
  test("record and forecast follow each other on one axis, with today's capacity over the forecast", () => {
    const forecast = { ...aForecast(5), madeAtMs: 190_000, qps: [7, 8], qps95: [9, 10] };
    const lines = joinTraffic(past([60_000, 120_000], [3, 4], [100, 110]), forecast, 120);
    expect(lines).toEqual({
      times: [60_000, 120_000, 180_000, 240_000],
      rate: [3, 4, null, null],
      capacity: [100, 110, 120, 120],
      median: [null, null, 7, 8],
      lower: [null, null, 7, 8],
      upper: [null, null, 9, 10],
      bandIsOfPeak: false,
    });
  });

  test("a forecast without quantiles of its minutes has the band of its peak, one without any has none", () => {
    const forecast = { ...aForecast(5), madeAtMs: 60_000, qps: [7, 8] };
    const peakQps = { q50: 9, q90: 11, q95: 12 };
    const { lower, upper, bandIsOfPeak } = joinTraffic(null, { ...forecast, peakQps }, null);
    expect({ lower, upper, bandIsOfPeak }).toEqual({ lower: [9, 9], upper: [12, 12], bandIsOfPeak: true });
    expect(joinTraffic(null, forecast, null).upper).toEqual([null, null]);
  });

  test("minutes without a record are a gap in the lines", () => {
    const lines = joinTraffic(past([60_000, 600_000], [3, 4], [null, null]), null, null);
    expect(lines.times).toEqual([60_000, 120_000, 600_000]);
    expect(lines.rate).toEqual([3, null, 4]);
  });

  test("nothing known: nothing shown", () => {
    expect(joinTraffic(null, null, null).times).toEqual([]);
    expect(highest([null, null])).toBeNull();
    expect(highest([null, 2, 1])).toBe(2);
  });

  test("what was refused is summed where any of it is known", () => {
    const { figures } = past([0, minuteMs], [1, 1], [null, null]);
    const of = { ...figures, refusedQueuePerS: [1, null], refusedErrorPerS: [2, null] };
    expect(refusedOf(of)).toEqual([3, null]);
  });
});

describe("completion of a filter", () => {
  test.each([
    ["", { before: "", minus: "", field: null, part: "" }],
    ["sta", { before: "", minus: "", field: null, part: "sta" }],
    ["thor-1 -region:ha", { before: "thor-1 ", minus: "-", field: "region", part: "ha" }],
    ['region:"hall 1', { before: "", minus: "", field: "region", part: "hall 1" }],
  ])("of %p is for its last term", (text, expected) => {
    expect(readLastTerm(text)).toEqual(expected);
  });

  test("names the server's fields, and values that the server reads as they are", () => {
    expect(filterFields).toEqual(serverFields);
    expect(completeFilter(readLastTerm("x st"), [])).toEqual(["x state:"]);
    const values = ["plain", "with space", 'a "quote" and \\', "<b>&amp;"];
    for (const [index, text] of completeFilter(readLastTerm("-region:"), values).entries())
      expect(parseAgentFilter(text)).toEqual([
        { field: "region", value: values[index] as string, isExact: true, isNegated: true },
      ]);
  });
});

describe("cells of the map", () => {
  const row = (condition: number): AgentRow => ["a", condition, 50, 100, 20, 40, 65, 0, 0];
  test("have another shape for each state, whatever they are coloured by", () => {
    for (const coloring of ["state", "load", "power", "temperature"] as const) {
      const looks = [0, 1, 3].map((condition) => {
        const { isHollow, isCrossed } = cellColor(row(condition), coloring, 80);
        return `${isHollow} ${isCrossed}`;
      });
      expect(new Set(looks).size).toBe(3);
    }
  });

  test("are the darker, the higher the value; unknown ones are the lightest", () => {
    const share = (changed: Partial<Record<number, number | null>>, coloring: "load" | "power" | "temperature") =>
      cellColor(Object.assign([...row(0)], changed) as unknown as AgentRow, coloring, 80).share;
    expect(share({}, "load")).toBeCloseTo(0.575, 3);
    expect(share({ 2: 500 }, "load")).toBe(1);
    expect(share({ 3: null }, "load")).toBe(0.15);
    expect(share({ 5: 80 }, "power")).toBe(1);
    expect(share({ 6: null }, "temperature")).toBe(0.15);
    expect(share({ 6: 100 }, "temperature")).toBe(1);
  });

  test("are found by a point, with none beside the last column", () => {
    expect(placeOf(0, 0, 14, 10)).toBe(0);
    expect(placeOf(29, 15, 14, 10)).toBe(12);
    expect(placeOf(141, 3, 14, 10)).toBeNull();
    expect(placeOf(-1, 3, 14, 10)).toBeNull();
  });
});

describe("an agent of a list", () => {
  const conditions = ["serving", "standby", "draining", "offline"];
  const agent = agentView(anAgent({ nowMs: 1_000 }), undefined, undefined, 180_000, 1_000);

  test("has the figures that the stream told of it since", () => {
    const row: AgentRow = ["thor-1", 2, 7.5, 350, 21, 61, 48, 60, 0];
    expect(withLiveRow(agent, row, conditions)).toEqual({
      ...agent,
      ...{ condition: "draining", status: "online", qps: 7.5, p95LatencyMs: 21, watts: 61, temperatureC: 48 },
    });
  });

  test("is offline at once, and what is not known of it any more is unknown", () => {
    const row: AgentRow = ["thor-1", 3, null, 350, 21, null, null, 60, 0];
    expect(withLiveRow(agent, row, conditions)).toMatchObject({
      ...{ condition: "offline", status: "offline", qps: null, watts: null, temperatureC: null },
    });
  });

  test("stays as it was listed before a row has come, or where its condition has no name", () => {
    expect(withLiveRow(agent, undefined, conditions)).toBe(agent);
    expect(withLiveRow(agent, ["thor-1", 9, 1, 1, 1, 1, 1, 1, 0], conditions).condition).toBe(agent.condition);
  });
});
