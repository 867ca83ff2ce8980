/** Marks a route's `detail` as served without a key, in OpenAPI's own terms: it has no security requirement. */
export const openRoute = { security: [] };

/** Says whether a route, as Elysia lists it, is marked as served without a key. */
export function isOpenRoute(route: { readonly hooks?: unknown }): boolean {
  const { detail } = (route.hooks ?? {}) as { detail?: { security?: unknown } };
  return Array.isArray(detail?.security) && detail.security.length === 0;
}
