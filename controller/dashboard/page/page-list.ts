import type { PageEntry } from "#platform/page/shell.tsx";
import type { PagePath } from "../page-paths.ts";
import { AgentPage } from "./agent/agent-page.tsx";
import { DecisionPage } from "./decisions/decision-page.tsx";
import { DecisionsPage } from "./decisions/decisions-page.tsx";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { LoginView } from "./login-view.tsx";
import { RoutesPage } from "./routes/routes-page.tsx";

/** Pages in the order of the navigation. A new one is registered here, and its path in page-paths.ts. */
export const pageList: readonly (PageEntry & { readonly path: PagePath })[] = [
  { path: "/", title: "Fleet", View: FleetPage },
  { path: "/agents/:id", title: "Agent", isInNavigation: false, View: AgentPage },
  { path: "/decisions", title: "Decisions", View: DecisionsPage },
  { path: "/decisions/:id", title: "Decision", isInNavigation: false, View: DecisionPage },
  { path: "/routes", title: "Routes", View: RoutesPage },
  { path: "/login", title: "Login", isInNavigation: false, View: LoginView },
];
