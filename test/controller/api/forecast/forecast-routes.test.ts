import { expect, test } from "bun:test";
import type { ApiParts } from "#controller/api/api-parts.ts";
import { type ForecastOverview, forecastOverviewRoutes } from "#controller/api/forecast/forecast-routes.ts";
import { observeReported, unknownAgent } from "#controller/fleet/agent-state.ts";
import { summarizeAccuracy } from "#forecast/accuracy/summarize-accuracy.ts";
import { minuteMs } from "#platform/time.ts";
import type { Reported } from "#protocol/messages.ts";
import { aReported } from "../../../fakes/builders.ts";

const nowMs = Date.UTC(2026, 10, 30, 8);
const ended = (endedAtMs: number) => ({ kind: "kept" as const, reason: "not better", endedAtMs });
const agent = (agentId: string, training?: Reported["training"]) => {
  const state = unknownAgent(agentId, nowMs);
  const reported = aReported({ agentId, ...(training === undefined ? {} : { training }) });
  return observeReported(state, reported, nowMs - 5) ?? state;
};
const agents = [
  agent("untold"),
  agent("never", { state: "waiting", reason: "too little record", last: null }),
  agent("yesterday", { state: "waiting", reason: "done", last: ended(1_000) }),
  agent("today", { state: "waiting", reason: "done", last: ended(2_000) }),
  agent("now", { state: "training", reason: "within the window", last: ended(500) }),
];
const asked: [number, number][] = [];
const routes = forecastOverviewRoutes({
  fleet: { agents: () => agents },
  loop: { latestForecast: () => null },
  accuracyOf: () => ({ ...summarizeAccuracy([], 1), forecasts: 500, wapePercent: 20, coverage95: 0.5 }),
  accuracy: {
    peaks(fromMs: number, toMs: number) {
      asked.push([fromMs, toMs]);
      const of = { model: "m", forecastQps: 10, upperQps: 12, actualQps: 11, covered: true };
      return [{ startMs: toMs - 20 * minuteMs, ...of }];
    },
  },
  forecaster: { describe: () => ({ model: "lstm", backend: "wasm", reason: "loaded" }) },
  nowMs: () => nowMs,
} as unknown as ApiParts);
const ask = (query: string) => routes.handle(new Request(`http://controller/api/v1/forecast/overview${query}`));

test("the forecast's overview tells accuracy, drift, past peaks, and what the fleet trains", async () => {
  const overview = (await (await ask("?window=7d")).json()) as ForecastOverview;
  expect(asked).toEqual([[nowMs - 7 * 24 * 60 * minuteMs, nowMs]]);
  expect(overview).toMatchObject({ nowMs, window: "7d", forecast: null, forecaster: { model: "lstm" } });
  expect(overview.drift).toMatchObject({ rule: "interval", reason: expect.stringContaining("50 %") });
  expect(overview.accuracy["30d"].wapePercent).toBe(20);
  expect(overview.peaks).toMatchObject([{ forecasts: 1, forecastQps: 10, upperQps: 12, actualQps: 11 }]);
  expect(overview.training).toMatchObject({ agents: 4, training: 1 });
  expect(overview.training.rows.map(({ agentId }) => agentId)).toEqual(["now", "today", "yesterday", "never"]);
  expect(overview.training.rows[0]).toMatchObject({ reportedAtMs: nowMs - 5, last: { kind: "kept" } });
});

test("a window that is none is refused", async () => {
  expect((await ask("?window=1y")).status).toBeGreaterThanOrEqual(400);
  expect((await ask("")).status).toBe(200);
});
