import { join } from "node:path";
import type { AnyElysia } from "elysia";
import type { AccuracyWindow } from "#forecast/accuracy/accuracy-metrics.ts";
import { accuracyRoutes } from "#forecast/accuracy/accuracy-routes.ts";
import { forecastRoutes } from "#forecast/forecast-routes.ts";
import type { ForecasterDescription } from "#forecast/forecaster.ts";
import type { NightTraining } from "#forecast/night/night-training.ts";
import { trainingRoutes } from "#forecast/night/training-routes.ts";
import { pageOpener } from "#platform/http/page/open-page.ts";
import { pageRoutes } from "#platform/http/page/page-routes.ts";
import type { ForecastAccuracy, ForecastReport } from "#protocol/messages.ts";
import { type AgentStatus, statusRoutes } from "./agent-status.ts";
import type { Mesh } from "./mesh/mesh.ts";
import { pageInside } from "./page-inside.ts";
import { minuteRoutes } from "./traffic/recent-minutes.ts";

/** Opens the agent's page once for all agents of this process. */
const openOwnPage = pageOpener(pageInside, join(import.meta.dir, "page", "index.html"));

export interface AgentRouteParts {
  readonly mesh: Pick<Mesh, "statusRoutes">;
  readonly accuracyOf: (window: AccuracyWindow) => ForecastAccuracy;
  readonly training: () => Pick<NightTraining, "status" | "rollBack">;
  /** Latest forecast; null before the first. */
  readonly forecast: () => ForecastReport | null;
  readonly forecaster: () => ForecasterDescription;
  readonly status: () => AgentStatus;
  readonly minutes: Parameters<typeof minuteRoutes>[0];
}

/** Lists the agent's routes besides those of its service, for the same address. Add new ones here, so that all tests over routes include them. */
export function agentRoutes(parts: AgentRouteParts): readonly AnyElysia[] {
  const { mesh, accuracyOf, training, forecast, forecaster, status, minutes } = parts;
  return [
    mesh.statusRoutes(),
    accuracyRoutes("agent", accuracyOf),
    trainingRoutes(training),
    forecastRoutes(forecast, forecaster),
    statusRoutes(status),
    minuteRoutes(minutes),
    pageRoutes(openOwnPage, ["/"]),
  ];
}
