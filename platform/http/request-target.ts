/** The resource that a request names, read once: authorisation, routing, logs and traces all use this reading. */
export type RequestTarget =
  /** `host` is in lower case and has neither port nor a dot at its end. */
  | { readonly kind: "absolute"; readonly host: string; readonly path: string }
  /** HTTP/1.0 without a Host header: the URL is a path only. */
  | { readonly kind: "without-host"; readonly path: string }
  | { readonly kind: "malformed"; readonly reason: string };

/** Scheme, host (a name, an IPv4 address or an IPv6 address in brackets), port, path; a query may follow, a fragment may not. */
const absoluteUrl = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?(\/[^?#]*)(?:\?[^#]*)?$/i;
const pathOnly = /^(\/[^?#]*)(?:\?[^#]*)?$/;
/** One host with or without a port. Bun takes the first of several Host headers, and drops the host from the URL where it can't read it. */
const hostHeader = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

/** Reads what a request points at from its URL and Host header. Nothing in the path is decoded: the router sees the same characters. */
export function requestTarget(request: { readonly url: string; readonly headers: Headers }): RequestTarget {
  const header = request.headers.get("host");
  if (header === null) {
    const path = pathOnly.exec(request.url)?.[1];
    if (path !== undefined) return { kind: "without-host", path };
    return { kind: "malformed", reason: "host: expected a Host header, got nothing" };
  }
  const [, host, path] = absoluteUrl.exec(request.url) ?? [];
  if (!hostHeader.test(header) || host === undefined || path === undefined) {
    const got = JSON.stringify(header.slice(0, 64));
    return { kind: "malformed", reason: `host: expected one host name or address with an optional port, got ${got}` };
  }
  return { kind: "absolute", host: host.toLowerCase().replace(/\.$/, ""), path };
}

/** The path of a request for logs and the shape of errors; "/" where it has none that can be read. */
export function requestPath(request: { readonly url: string; readonly headers: Headers }): string {
  const target = requestTarget(request);
  return target.kind === "malformed" ? "/" : target.path;
}
