import { type Static, Type } from "@sinclair/typebox";
import { orNull } from "#platform/schema-parts.ts";
import { offeredTexts, workTexts } from "./demand.ts";
import { addLatencyCounts, emptyLatencyCounts, latencyQuantileMs } from "./latency-histogram.ts";
import { described } from "./messages/fields.ts";
import type { MinuteData } from "./messages.ts";

const numberOrNull = (description: string) => orNull(Type.Number(), description);

/** Figures of a minute as people read them: rates a second, latency over all models. */
export const MinuteFigures = Type.Object({
  minuteStartMs: described(Type.Number(), "start of the minute"),
  qps: described(Type.Number(), "texts per second answered"),
  offeredQps: described(Type.Number(), "texts per second requested, answered or not"),
  workQps: described(
    Type.Number(),
    "texts per second that needed this agent's own capacity, including those passed on by other agents",
  ),
  requests: described(Type.Integer(), "requests that were answered"),
  errors: described(Type.Integer(), "requests that failed on the agent's side"),
  rejected: described(Type.Integer(), "requests that were refused"),
  queueDepth: described(Type.Integer(), "texts waiting when the minute closed"),
  p95LatencyMs: numberOrNull("95th percentile latency; null: no requests"),
  watts: numberOrNull("mean power over the measured part of the minute; null: not measured"),
  energyJ: numberOrNull("joules; null: not measured"),
  maxTemperatureC: numberOrNull("highest temperature, °C; null: not measured"),
  gpuUtilization: numberOrNull("mean load of the GPU, 0 … 1; null: not measured"),
});
export type MinuteFigures = Static<typeof MinuteFigures>;

/** Mean power over the part of a minute that was measured; null when none was. */
export function wattsOf(data: Pick<MinuteData, "power"> | undefined): number | null {
  const power = data?.power ?? null;
  return power === null || power.measuredMs <= 0 ? null : power.energyJ / (power.measuredMs / 1000);
}

/** Returns a minute's figures: agent and controller show the same. */
export function minuteFigures(data: Pick<MinuteData, "traffic" | "power" | "queueDepth">): MinuteFigures {
  const { traffic, power, queueDepth } = data;
  const { minuteStartMs, errors, rejected, models } = traffic;
  const sum = (of: (model: (typeof models)[number]) => number) => models.reduce((total, model) => total + of(model), 0);
  const counts = models.reduce(
    (total, { latencyCounts }) => addLatencyCounts(total, latencyCounts),
    emptyLatencyCounts(),
  );
  return {
    minuteStartMs,
    qps: sum(({ texts }) => texts) / 60,
    offeredQps: sum(offeredTexts) / 60,
    workQps: sum(workTexts) / 60,
    requests: sum(({ requests }) => requests),
    ...{ errors, rejected, queueDepth },
    p95LatencyMs: latencyQuantileMs(counts, 0.95),
    watts: wattsOf(data),
    energyJ: power?.energyJ ?? null,
    maxTemperatureC: power?.maxTemperatureC ?? null,
    gpuUtilization: power?.gpuUtilization ?? null,
  };
}
