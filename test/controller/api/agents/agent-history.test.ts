import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { agentHistory, historyStepMs } from "#controller/api/agents/agent-history.ts";
import { historyRoutes } from "#controller/api/agents/history-routes.ts";
import { createFleet } from "#controller/fleet/fleet.ts";
import { hourMs, minuteMs } from "#platform/time.ts";
import { askRoutes } from "../../../fakes/ask-routes.ts";
import { aForecast, aMinute, aModel, anAgent, aPower, aTraffic } from "../../../fakes/builders.ts";
import { createMemoryStore } from "../../memory-store.ts";

const at = (minute: number, given: Parameters<typeof aMinute>[0] = {}) =>
  aMinute({ minuteStartMs: minute * minuteMs, seq: minute + 1, ...given });

describe("an agent's minutes in steps", () => {
  test("rates are means, counts sums, temperatures the highest, and what was not measured stays unknown", () => {
    const { points } = agentHistory(
      [
        at(0, { requests: 60, power: aPower({ energyJ: 600, maxTemperatureC: 40 }) }),
        at(1, { requests: 180, power: aPower({ energyJ: 1200, maxTemperatureC: 61 }), forecast: aForecast(7) }),
        at(2, { traffic: aTraffic({ minuteStartMs: 2 * minuteMs, errors: 3, rejected: 4 }), power: null }),
      ],
      2 * minuteMs,
    );
    expect(points).toEqual([
      {
        ...{ startMs: 0, qps: 2, offeredQps: 2, errors: 0, rejected: 0, p95LatencyMs: expect.any(Number), watts: 15 },
        ...{ workQps: 2, maxTemperatureC: 61, forecastPeakQps: 7 },
      },
      {
        ...{ startMs: 2 * minuteMs, qps: 0, offeredQps: 0, errors: 3, rejected: 4, p95LatencyMs: null, watts: null },
        ...{ workQps: 0, maxTemperatureC: null, forecastPeakQps: null },
      },
    ]);
  });

  test("what an agent computes for others is its work, and what it passes on is not", () => {
    const modelled = (given: object) => [{ ...aModel("mini", 60), ...given }];
    const traffics = [modelled({ sentTexts: 60 }), modelled({ texts: 0, requests: 0, peerTexts: 120 })];
    const { points } = agentHistory(
      traffics.map((models, minute) => at(minute, { traffic: aTraffic({ minuteStartMs: minute * minuteMs, models }) })),
      minuteMs,
    );
    expect(points.map(({ qps, workQps }) => [qps, workQps])).toEqual([
      [1, 0],
      [0, 2],
    ]);
  });

  test("a minute without a record is absent and ends its stretch; the mode of minutes that closed together is one", () => {
    const { points, modes } = agentHistory(
      [
        at(0),
        at(1, { power: null }),
        at(2),
        at(4),
        at(5, { role: "standby" }),
        at(6, { power: null, role: "standby" }),
      ],
      minuteMs,
    );
    expect(points.map(({ startMs }) => startMs / minuteMs)).toEqual([0, 1, 2, 4, 5, 6]);
    expect(
      modes.map(({ fromMs, untilMs, ...rest }) => ({ from: fromMs / minuteMs, to: untilMs / minuteMs, ...rest })),
    ).toEqual([
      { from: 0, to: 3, role: "active", powerMode: "MAXN" },
      { from: 4, to: 5, role: "active", powerMode: "MAXN" },
      { from: 5, to: 7, role: "standby", powerMode: "MAXN" },
    ]);
  });

  test("two records of one minute make one stretch", () => {
    expect(agentHistory([at(1), at(1, { bootId: "other" })], minuteMs).modes).toHaveLength(1);
  });

  test.each([
    [1, 1],
    [12, 1],
    [13, 2],
    [24, 2],
    [48, 4],
  ])("%d hours in steps of %d minutes", (hours, minutes) => {
    expect(historyStepMs(hours)).toBe(minutes * minuteMs);
    expect((hours * hourMs) / historyStepMs(hours)).toBeLessThanOrEqual(720);
  });
});

describe("the route", () => {
  let store = createMemoryStore();
  const fleet = createFleet();
  const nowMs = 10 * hourMs + 5 * minuteMs;
  const ask = (path: string) => askRoutes(historyRoutes({ fleet, store, nowMs: () => nowMs }))(path);
  beforeEach(async () => {
    await store.close();
    store = createMemoryStore();
    fleet.put(anAgent({ agentId: "thor-1" }));
  });
  afterAll(() => store.close());

  test("tells the hours that are asked for, of this agent alone, a retired one too", async () => {
    for (const minute of [500, 544, 545, 604]) {
      await store.insertMinute(at(minute));
      await store.insertMinute(at(minute, { agentId: "gone-2" }));
    }
    const { body } = await ask("/api/v1/agents/thor-1/history?hours=1");
    expect(body).toMatchObject({ agentId: "thor-1", nowMs, fromMs: nowMs - hourMs, stepMs: minuteMs });
    const minutes = (points: unknown) => (points as { startMs: number }[]).map(({ startMs }) => startMs / minuteMs);
    expect(minutes(body["points"])).toEqual([545, 604]);
    expect(minutes((await ask("/api/v1/agents/gone-2/history")).body["points"])).toEqual([500, 544, 545, 604]);
  });

  test("an agent without minutes has none; one that was never heard of is not found", async () => {
    expect((await ask("/api/v1/agents/thor-1/history")).body).toMatchObject({ points: [], modes: [] });
    expect(await ask("/api/v1/agents/thor-9/history")).toMatchObject({ status: 404 });
  });

  test.each(["0", "49", "1.5", "-1", "all", "%00"])("hours=%s is refused", async (hours) => {
    expect((await ask(`/api/v1/agents/thor-1/history?hours=${hours}`)).status).toBe(400);
  });
});
