/** Route as Elysia lists it: `:name` matches a segment, `*` the rest. */
export interface RoutePattern {
  readonly method: string;
  readonly path: string;
}

/** True for a path of a route, also with a slash at its end, which the router takes too. */
export function matchesRoute(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = (path.length > 1 ? path.replace(/\/$/, "") : path).split("/");
  for (const [index, segment] of wanted.entries()) {
    if (segment === "*") return true;
    const value = given[index];
    if (value === undefined || (segment.startsWith(":") ? value === "" : segment !== value)) return false;
  }
  return wanted.length === given.length;
}

/** Methods for which `path` exists: without any it is a 404, without the request's a 405. */
export function allowedMethods(routes: readonly RoutePattern[], path: string): string[] {
  const methods = new Set<string>();
  for (const route of routes) {
    if (!matchesRoute(route.path, path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  return [...methods].sort();
}
