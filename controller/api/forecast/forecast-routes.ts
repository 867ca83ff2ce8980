import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { type AccuracyWindow, accuracyWindows } from "#forecast/accuracy/accuracy-metrics.ts";
import { decideDrift, type ForecastDrift } from "#forecast/accuracy/decide-drift.ts";
import { explainDrift } from "#forecast/accuracy/explain-drift.ts";
import { thinPeaks } from "#forecast/accuracy/thin-peaks.ts";
import type { ReadonlyStatic } from "#platform/readonly-static.ts";
import { literals, orNull, strictObject } from "#platform/schema-parts.ts";
import { ForecastAccuracy, ForecastReport, type Reported } from "#protocol/messages.ts";
import type { AgentState } from "../../fleet/agent-state.ts";
import type { ApiParts } from "../api-parts.ts";
import { about, ErrorBody } from "../schemas.ts";

type Training = NonNullable<Reported["training"]>;

/** Maximum stretches of past peaks, and agents whose trainings are listed. */
const maxStretches = 300;
const maxTrainings = 100;

const windows = Object.keys(accuracyWindows) as AccuracyWindow[];
const OverviewQuery = strictObject({
  // Not literals: the document would lose their default, and call the parameter required.
  window: Type.Unsafe<AccuracyWindow>(
    Type.String({ pattern: `^(${windows.join("|")})$`, default: "24h", title: `one of ${windows.join(", ")}` }),
  ),
});

const TrainingView = Type.Object({
  agentId: Type.String(),
  ...{ state: Type.Unsafe<Training["state"]>(literals("waiting", "training", "resting")), reason: Type.String() },
  reportedAtMs: orNull(Type.Number(), "when the report arrived; null: before this controller started"),
  last: orNull(
    Type.Object({
      kind: Type.Unsafe<NonNullable<Training["last"]>["kind"]>(literals("promoted", "kept", "failed", "stopped")),
      reason: Type.String(),
      endedAtMs: Type.Number(),
    }),
    "the last training that ended; null: none has",
  ),
});

const ForecastOverview = Type.Object({
  nowMs: Type.Number({ description: "the controller's clock" }),
  window: Type.Unsafe<AccuracyWindow>(literals(...windows)),
  forecast: orNull(ForecastReport, "the latest forecast of the fleet's traffic; null: none yet"),
  forecaster: Type.Object({ model: Type.String(), backend: Type.String(), reason: Type.String() }),
  accuracy: Type.Unsafe<Readonly<Record<AccuracyWindow, ForecastAccuracy>>>(
    Type.Object(Object.fromEntries(windows.map((each) => [each, ForecastAccuracy]))),
  ),
  drift: Type.Object({
    rule: Type.Unsafe<ForecastDrift["rule"]>({
      ...literals("unknown", "steady", "error", "interval"),
      description: "error, interval: the forecast no longer fits the traffic",
    }),
    reason: Type.String(),
  }),
  peaks: Type.Array(
    Type.Object({
      startMs: Type.Number(),
      forecasts: Type.Integer({ description: "number of forecasts in the means" }),
      forecastQps: Type.Number({ description: "forecast peak of the 15 minutes (median)" }),
      upperQps: orNull(Type.Number(), "its 0.95 quantile; null: there is none"),
      actualQps: Type.Number({ description: "actual peak" }),
      judged: Type.Integer({ description: "forecasts with a 0.95 quantile" }),
      above: Type.Integer({ description: "of them, those whose actual peak exceeded it" }),
      model: Type.String({ description: "model that made most of them" }),
    }),
    { description: "peaks of past forecasts in the window, thinned to 300 intervals" },
  ),
  training: Type.Object({
    agents: Type.Integer({ description: "agents that report their training" }),
    training: Type.Integer({ description: "of them, those that are training now" }),
    rows: Type.Array(TrainingView, { description: "those in training first, then by newest end; at most 100" }),
  }),
});
export type ForecastOverview = ReadonlyStatic<typeof ForecastOverview>;

function trainingsOf(agents: readonly AgentState[]) {
  const rows = agents.flatMap(({ agentId, reported, reportedAtMs }) =>
    reported?.training === undefined ? [] : [{ agentId, reportedAtMs, ...reported.training }],
  );
  const order = (row: (typeof rows)[number]) =>
    row.state === "waiting" ? (row.last?.endedAtMs ?? 0) : Number.POSITIVE_INFINITY;
  return {
    agents: rows.length,
    training: rows.filter(({ state }) => state !== "waiting").length,
    rows: rows.sort((a, b) => (order(a) === order(b) ? 0 : order(b) - order(a))).slice(0, maxTrainings),
  };
}

/** Route of all that is known of the fleet's forecasts. */
export function forecastOverviewRoutes({ fleet, loop, accuracy, accuracyOf, forecaster, nowMs }: ApiParts) {
  return new Elysia().get(
    "/api/v1/forecast/overview",
    ({ query: { window } }) => {
      const now = nowMs();
      const fromMs = now - accuracyWindows[window];
      const figures = Object.fromEntries(windows.map((each) => [each, accuracyOf(each)])) as Record<
        AccuracyWindow,
        ForecastAccuracy
      >;
      const drift = decideDrift(figures["24h"], figures["7d"]);
      return {
        ...{ nowMs: now, window, forecast: loop.latestForecast(), forecaster: forecaster.describe() },
        accuracy: figures,
        drift: { rule: drift.rule, reason: explainDrift(drift) },
        peaks: thinPeaks(accuracy.peaks(fromMs, now), fromMs, now, maxStretches),
        training: trainingsOf(fleet.agents()),
      };
    },
    {
      query: OverviewQuery,
      response: { 200: ForecastOverview, 400: ErrorBody },
      detail: about(
        "fleet",
        "The fleet's forecasts",
        "The latest with its quantiles, past forecast peaks beside actual ones, accuracy, drift, and training.",
      ),
    },
  );
}
