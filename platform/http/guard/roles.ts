/** Roles of callers, each with the rights of those before it. embed: a tenant at an agent. */
export const roles = ["embed", "viewer", "operator", "admin"] as const;
export type Role = (typeof roles)[number];

/** Role that a route needs, as Elysia lists it. */
export type RouteRole = (route: { readonly method: string; readonly path: string; readonly hooks?: unknown }) => Role;

const mark = "x-thormesh-role";

/** Mark for the `detail` of a route that needs a role. */
export const needsRole = (role: Role): Readonly<Record<string, unknown>> => ({ [mark]: role });

/** Role that a route needs by its mark. Without one: viewer to read, admin for all else. */
export function neededRole(route: { readonly method: string; readonly hooks?: unknown }): Role {
  const { detail } = (route.hooks ?? {}) as { detail?: Readonly<Record<string, unknown>> };
  const marked = roles.find((role) => role === detail?.[mark]);
  return marked ?? (["GET", "HEAD"].includes(route.method) ? "viewer" : "admin");
}

/** True if a caller's role has the rights of another one. A caller without a role has none. */
export function hasRole(own: Role | undefined, needed: Role): boolean {
  return own !== undefined && roles.indexOf(own) >= roles.indexOf(needed);
}

/** Highest of several roles; null of none. */
export function highestRole(of: readonly Role[]): Role | null {
  return of.length === 0 ? null : (roles[Math.max(...of.map((role) => roles.indexOf(role)))] as Role);
}
