/** Resource that a request names. Authorisation, routing, logs and traces all use this one reading. */
type RequestTarget =
  /** `host` is in lower case, without port and trailing dot; `pathAt` is the place of the path in the URL. */
  | { readonly kind: "absolute"; readonly host: string; readonly path: string; readonly pathAt: number }
  /** HTTP/1.0 without a Host header: the URL is a path only. */
  | { readonly kind: "without-host"; readonly path: string }
  | { readonly kind: "malformed"; readonly reason: string };

/** Pattern of scheme, host (a name, an IPv4 address or an IPv6 address in brackets), port and path, with a query but no fragment. */
const absoluteUrl = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?(\/[^?#]*)(?:\?[^#]*)?$/i;
const pathOnly = /^(\/[^?#]*)(?:\?[^#]*)?$/;
/** Pattern of one host with an optional port. Bun uses the first of several Host headers, and drops a host that it can't parse from the URL. */
const hostHeader = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

/** The last target that was read: most requests have that of the one before. */
let last: { readonly url: string; readonly header: string | null; readonly target: RequestTarget } | undefined;

/** Reads a request's target from its URL and Host header. The path is not decoded: the router sees the same characters. */
export function requestTarget(request: { readonly url: string; readonly headers: Headers }): RequestTarget {
  const { url } = request;
  const header = request.headers.get("host");
  if (last !== undefined && last.url === url && last.header === header) return last.target;
  const target = readTarget(url, header);
  last = { url, header, target };
  return target;
}

function readTarget(url: string, header: string | null): RequestTarget {
  if (header === null) {
    const path = pathOnly.exec(url)?.[1];
    if (path !== undefined) return { kind: "without-host", path };
    return { kind: "malformed", reason: "host: expected a Host header, got nothing" };
  }
  const [, host, path] = absoluteUrl.exec(url) ?? [];
  if (!hostHeader.test(header) || host === undefined || path === undefined) {
    const got = JSON.stringify(header.slice(0, 64));
    return { kind: "malformed", reason: `host: expected one host name or address with an optional port, got ${got}` };
  }
  const pathAt = url.indexOf("/", url.indexOf("://") + 3);
  return { kind: "absolute", host: host.toLowerCase().replace(/\.$/, ""), path, pathAt };
}

/** Path of a request for logs and the shape of errors; "/" if it is malformed. */
export function requestPath(request: { readonly url: string; readonly headers: Headers }): string {
  const target = requestTarget(request);
  return target.kind === "malformed" ? "/" : target.path;
}
