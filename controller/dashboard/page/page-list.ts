import type { PageEntry } from "#platform/page/shell.tsx";
import type { PagePath } from "../page-paths.ts";
import { AgentPage } from "./agent/agent-page.tsx";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { LoginView } from "./login-view.tsx";
import { RoutesPage } from "./routes/routes-page.tsx";

/** Pages in the order of the navigation. A new one is registered here, and its path in page-paths.ts. */
export const pageList: readonly (PageEntry & { readonly path: PagePath })[] = [
  { path: "/", title: "Fleet", View: FleetPage },
  { path: "/agents/:id", title: "Agent", isInNavigation: false, View: AgentPage },
  { path: "/routes", title: "Routes", View: RoutesPage },
  { path: "/login", title: "Login", isInNavigation: false, View: LoginView },
];
