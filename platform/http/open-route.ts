/** Mark for the `detail` of a route that is served without a key, in OpenAPI's terms: no security requirement. */
export const openRoute = { security: [] };

/** True if a route, as Elysia lists it, is marked as served without a key. */
export function isOpenRoute(route: { readonly hooks?: unknown }): boolean {
  const { detail } = (route.hooks ?? {}) as { detail?: { security?: unknown } };
  return Array.isArray(detail?.security) && detail.security.length === 0;
}
