import { join } from "node:path";
import { pageOpener } from "#platform/http/page/open-page.ts";
import { pageRoutes } from "#platform/http/page/page-routes.ts";
import { pageInside } from "./page-inside.ts";
import { pagePaths } from "./page-paths.ts";

/** Opens the page once for all controllers of this process. */
const openDashboard = pageOpener(pageInside, join(import.meta.dir, "page", "index.html"));

/** Routes of the controller's page. */
export const dashboardRoutes = () => pageRoutes(openDashboard, pagePaths);
