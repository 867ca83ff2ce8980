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
  return isOwnOrigin(origin, headers) ? null : origin;
}

const isOwnOrigin = (origin: string, headers: Headers) =>
  origin.toLowerCase().replace(/^https?:\/\//, "") === (headers.get("host") ?? "").toLowerCase();

/**
 * Reason for which a request that may change something is not proven to come from a page of this server; null: it is. Browsers add cookies by
 * themselves, so that a request with one needs the proof: `Sec-Fetch-Site: same-origin`, or where a browser sends none, our own `Origin`.
 */
export function foreignToOwnPages(request: { readonly method: string; readonly headers: Headers }): string | null {
  const { method, headers } = request;
  if (safeMethods.has(method)) return null;
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin" ? null : `Sec-Fetch-Site: ${site}`;
  const origin = headers.get("origin");
  if (origin === null) return "neither Origin nor Sec-Fetch-Site";
  return isOwnOrigin(origin, headers) ? null : `Origin: ${origin}`;
}
