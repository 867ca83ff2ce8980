/** Methods that change nothing. */
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * The foreign origin on whose behalf a browser sent a request that may change something; null when there is none. Browsers name the origin of
 * every such request (`Origin`, `null` for pages without one) and how it relates to this server (`Sec-Fetch-Site`).
 */
export function foreignOrigin(request: { readonly method: string; readonly headers: Headers }): string | null {
  const { method, headers } = request;
  if (safeMethods.has(method)) return null;
  const origin = headers.get("origin");
  if (origin === null) {
    const site = headers.get("sec-fetch-site");
    return site === "cross-site" || site === "same-site" ? site : null;
  }
  const authority = origin.toLowerCase().replace(/^https?:\/\//, "");
  return authority === (headers.get("host") ?? "").toLowerCase() ? null : origin;
}
