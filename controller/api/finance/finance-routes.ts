import { Elysia } from "elysia";
import { anomalyTerms } from "../../alerts/assemble-alerts.ts";
import type { ControllerConfig } from "../../config.ts";
import type { ApiParts } from "../api-parts.ts";
import { adviceRoutes } from "./advice-routes.ts";
import { alertRoutes } from "./alert-routes.ts";
import { anomalyRoutes } from "./anomaly-routes.ts";
import { baselineRoutes } from "./baseline-routes.ts";
import { budgetRoutes } from "./budget-routes.ts";
import { costViewRoutes } from "./cost-view-routes.ts";
import { type ReportParts, reportRoutes } from "./report-routes.ts";
import { spendRoutes } from "./spend-routes.ts";

/** Routes for those who pay: budgets, alerts, anomalies and reports. */
export function financeRoutes(
  parts: ApiParts,
  config: Pick<ControllerConfig, "alerts" | "cost">,
  costCentreOf: ReportParts["costCentreOf"],
) {
  return new Elysia()
    .use(budgetRoutes(parts))
    .use(alertRoutes(parts))
    .use(anomalyRoutes(parts, anomalyTerms(config)))
    .use(adviceRoutes(parts))
    .use(baselineRoutes(parts))
    .use(spendRoutes(parts, config.cost))
    .use(costViewRoutes(parts))
    .use(reportRoutes({ ...parts, costCentreOf }));
}
