/** Paths of the page, as the server's routes and the page's own navigation name them. */
export const pagePaths = [
  "/",
  "/agents",
  "/agents/:id",
  "/decisions",
  "/decisions/:id",
  "/forecast",
  "/cost",
  "/policy",
  "/routes",
  "/login",
] as const;
export type PagePath = (typeof pagePaths)[number];
