/** Methods that change nothing. */
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Foreign origin of a request that may change something, sent by a browser; null without one. Browsers send the origin of every such request
 * (`Origin`, `null` for pages without one) and its relation to this server (`Sec-Fetch-Site`).
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
