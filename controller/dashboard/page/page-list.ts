import type { PageEntry } from "#platform/page/shell.tsx";
import type { PagePath } from "../page-paths.ts";
import { AgentsPage } from "./fleet/agents-page.tsx";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { lazyView } from "./lazy-view.tsx";
import { LoginView } from "./login-view.tsx";

const loadOthers = () => import("./other-pages.ts");
type Others = Awaited<ReturnType<typeof loadOthers>>;

const otherPage = (name: keyof Others) =>
  lazyView<{ readonly params: Readonly<Record<string, string>> }>(async () => (await loadOthers())[name]);

/** Begins to load the pages besides the first. What fails here fails again when one is shown, and is told there. */
export const prepareOthers = (): void => void loadOthers().catch(() => undefined);

/** Pages in the order of the navigation. A new one is registered here, in other-pages.ts, and its path in page-paths.ts. */
export const pageList: readonly (PageEntry & { readonly path: PagePath })[] = [
  { path: "/", title: "Fleet", View: FleetPage },
  { path: "/agents", title: "Agents", View: AgentsPage },
  { path: "/agents/:id", title: "Agent", isInNavigation: false, View: otherPage("AgentPage") },
  { path: "/decisions", title: "Decisions", View: otherPage("DecisionsPage") },
  { path: "/decisions/:id", title: "Decision", isInNavigation: false, View: otherPage("DecisionPage") },
  { path: "/forecast", title: "Forecast", View: otherPage("ForecastPage") },
  { path: "/cost", title: "Cost", View: otherPage("CostPage") },
  { path: "/policy", title: "Policy", View: otherPage("PolicyPage") },
  { path: "/routes", title: "Routes", View: otherPage("RoutesPage") },
  { path: "/login", title: "Login", isInNavigation: false, View: LoginView },
];
