import type { PageEntry } from "#platform/page/shell.tsx";
import type { PagePath } from "../page-paths.ts";
import { lazyView } from "./lazy-view.tsx";
import { LoginView } from "./login-view.tsx";

const lazyPage = (load: () => Promise<PageEntry["View"]>) =>
  lazyView<{ readonly params: Readonly<Record<string, string>> }>(load);

const FleetPage = lazyPage(async () => (await import("./fleet/fleet-page.tsx")).FleetPage);
const AgentsPage = lazyPage(async () => (await import("./fleet/agents-page.tsx")).AgentsPage);
const AgentPage = lazyPage(async () => (await import("./agent/agent-page.tsx")).AgentPage);
const DecisionPage = lazyPage(async () => (await import("./decisions/decision-page.tsx")).DecisionPage);
const DecisionsPage = lazyPage(async () => (await import("./decisions/decisions-page.tsx")).DecisionsPage);
const PolicyPage = lazyPage(async () => (await import("./policy/policy-page.tsx")).PolicyPage);
const ForecastPage = lazyPage(async () => (await import("./forecast/forecast-page.tsx")).ForecastPage);
const CostPage = lazyPage(async () => (await import("./cost/cost-page.tsx")).CostPage);
const RoutesPage = lazyPage(async () => (await import("./routes/routes-page.tsx")).RoutesPage);

/** Pages in the order of the navigation. A new one is registered here, lazily, and its path in page-paths.ts. */
export const pageList: readonly (PageEntry & { readonly path: PagePath })[] = [
  { path: "/", title: "Fleet", View: FleetPage },
  { path: "/agents", title: "Agents", View: AgentsPage },
  { path: "/agents/:id", title: "Agent", isInNavigation: false, View: AgentPage },
  { path: "/decisions", title: "Decisions", View: DecisionsPage },
  { path: "/decisions/:id", title: "Decision", isInNavigation: false, View: DecisionPage },
  { path: "/forecast", title: "Forecast", View: ForecastPage },
  { path: "/cost", title: "Cost", View: CostPage },
  { path: "/policy", title: "Policy", View: PolicyPage },
  { path: "/routes", title: "Routes", View: RoutesPage },
  { path: "/login", title: "Login", isInNavigation: false, View: LoginView },
];
