import type { PageEntry } from "#platform/page/shell.tsx";
import type { PagePath } from "../page-paths.ts";
import { lazyView } from "./lazy-view.tsx";
import { LoginView } from "./login-view.tsx";

const FleetPage = lazyView(async () => (await import("./fleet/fleet-page.tsx")).FleetPage);
const AgentPage = lazyView(async () => (await import("./agent/agent-page.tsx")).AgentPage);
const DecisionPage = lazyView(async () => (await import("./decisions/decision-page.tsx")).DecisionPage);
const DecisionsPage = lazyView(async () => (await import("./decisions/decisions-page.tsx")).DecisionsPage);
const PolicyPage = lazyView(async () => (await import("./policy/policy-page.tsx")).PolicyPage);
const ForecastPage = lazyView(async () => (await import("./forecast/forecast-page.tsx")).ForecastPage);
const CostPage = lazyView(async () => (await import("./cost/cost-page.tsx")).CostPage);
const RoutesPage = lazyView(async () => (await import("./routes/routes-page.tsx")).RoutesPage);

/** Pages in the order of the navigation. A new one is registered here, lazily, and its path in page-paths.ts. */
export const pageList: readonly (PageEntry & { readonly path: PagePath })[] = [
  { path: "/", title: "Fleet", View: FleetPage },
  { path: "/agents/:id", title: "Agent", isInNavigation: false, View: AgentPage },
  { path: "/decisions", title: "Decisions", View: DecisionsPage },
  { path: "/decisions/:id", title: "Decision", isInNavigation: false, View: DecisionPage },
  { path: "/forecast", title: "Forecast", View: ForecastPage },
  { path: "/cost", title: "Cost", View: CostPage },
  { path: "/policy", title: "Policy", View: PolicyPage },
  { path: "/routes", title: "Routes", View: RoutesPage },
  { path: "/login", title: "Login", isInNavigation: false, View: LoginView },
];
