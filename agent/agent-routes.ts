import type { AnyElysia } from "elysia";
import type { AccuracyWindow } from "#forecast/accuracy/accuracy-metrics.ts";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import { forecastRoutes } from "#forecast/forecast-routes.ts";
import type { ForecasterDescription } from "#forecast/forecaster.ts";
import type { NightTraining } from "#forecast/night/night-training.ts";
import { trainingRoutes } from "#forecast/night/training-routes.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";
import { type AgentStatus, statusRoutes } from "./agent-status.ts";
import type { Mesh } from "./mesh/mesh.ts";

export interface AgentRouteParts {
  readonly mesh: Pick<Mesh, "statusRoutes">;
  readonly accuracyOf: (window: AccuracyWindow) => ForecastAccuracy;
  readonly training: () => Pick<NightTraining, "status" | "rollBack">;
  /** Latest forecast; null before the first. */
  readonly forecast: () => ForecastReport | null;
  readonly forecaster: () => ForecasterDescription;
  readonly status: () => AgentStatus;
}

/** Lists the agent's routes besides those of its service, for the same address: whoever adds one adds it here, and all tests over routes have it. */
export function agentRoutes(parts: AgentRouteParts): readonly AnyElysia[] {
  const { mesh, accuracyOf, training, forecast, forecaster, status } = parts;
  return [
    mesh.statusRoutes(),
    accuracyRoutes("agent", accuracyOf),
    trainingRoutes(training),
    forecastRoutes(forecast, forecaster),
    statusRoutes(status),
  ];
}
