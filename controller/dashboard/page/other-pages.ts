/** Pages besides the first, in one file: together they are smaller than apart, and nobody waits for them at first. */
export { AgentPage } from "./agent/agent-page.tsx";
export { CostPage } from "./cost/cost-page.tsx";
export { DecisionPage } from "./decisions/decision-page.tsx";
export { DecisionsPage } from "./decisions/decisions-page.tsx";
export { ForecastPage } from "./forecast/forecast-page.tsx";
export { PolicyPage } from "./policy/policy-page.tsx";
export { RoutesPage } from "./routes/routes-page.tsx";
