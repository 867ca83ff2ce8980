import { hostname } from "node:os";
import { ServiceError } from "#platform/errors.ts";
import { allowedMethods, matchesRoute, type RoutePattern } from "#platform/http/allowed-methods.ts";
import { sessionOf } from "#platform/http/session/session-cookie.ts";
import type { Session, SessionFinder } from "#platform/http/session/session-finder.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { isAllowedHost } from "./allowed-host.ts";
import type { Authenticator } from "./authenticate.ts";
import { foreignOrigin, foreignToOwnPages } from "./cross-origin.ts";
import type { CrossOriginAccess } from "./cross-origin-access.ts";
import type { Caller } from "./identify-caller.ts";
import { noteCaller, noteSender } from "./request-caller.ts";
import { requestTarget } from "./request-target.ts";
import { hasRole, highestRole, type Role, type RouteRole } from "./roles.ts";

type GuardDecision =
  /** `request` is the one to answer: a new one where the URL had to be completed. */
  | { readonly kind: "pass"; readonly request: Request }
  /** Answered already: a browser's question before a page's request. */
  | { readonly kind: "answer"; readonly response: Response }
  | { readonly kind: "refuse"; readonly error: ServiceError; readonly headers: Readonly<Record<string, string>> };

/**
 * Accepts or refuses a request before any of its body is read.
 * @param address network address of the sender, looked up only when needed
 */
export type RequestGuard = (request: Request, address: () => string | null) => GuardDecision | Promise<GuardDecision>;

interface RequestGuardOptions {
  readonly authenticator: Authenticator;
  readonly hostNames: readonly string[];
  /** Routes that are served without a key. */
  readonly openRoutes: readonly RoutePattern[];
  /** All routes. */
  readonly routes: readonly Parameters<RouteRole>[0][];
  /** Role that a route needs. Default: none does. */
  readonly roleOf?: RouteRole;
  readonly crossOrigin: CrossOriginAccess;
  /** Sessions of browsers that logged in. Default: cookies mean nothing. */
  readonly sessions?: SessionFinder | undefined;
  /** Place in a URL from which the router looks for the path: it must find the same one. */
  readonly pathFrom: number;
  readonly log: Logger;
}

/** Authorization of a request. Azure's clients send their key as `api-key`. */
function authorizationOf(headers: Headers): string | null {
  const key = headers.get("api-key");
  return headers.get("authorization") ?? (key === null ? null : `Bearer ${key}`);
}

/** Maximum paths whose role is remembered. */
const maxKnownPaths = 1024;

/** Caller of an API with roles but without keys: anyone who can connect may do everything. */
const anyone: Caller = { tenant: null, role: "admin", name: "anyone" };

const refuse = (error: ServiceError, headers: Readonly<Record<string, string>> = {}): GuardDecision => ({
  kind: "refuse",
  error,
  headers,
});

/**
 * Creates a guard that requires, in this order, an unambiguous target (400), a valid key or an open route (401, 429), the route's role (403), and
 * without a key a host that no web page can claim and no foreign origin that is not configured (403). Browsers add no key by themselves, so a valid one proves intent.
 * They do add cookies: a request with a session's needs proof that it comes from a page of this server where it may change something (403).
 */
export function createRequestGuard(options: RequestGuardOptions): RequestGuard {
  const { authenticator, openRoutes, routes, crossOrigin, pathFrom } = options;
  const names = new Set([hostname(), ...options.hostNames].map((name) => name.toLowerCase()));
  const counted = createCountedLog(options.log, () => performance.now());

  const isOpen = (method: string, path: string) =>
    openRoutes.some((route) => {
      const sameMethod = route.method === method || (route.method === "GET" && method === "HEAD");
      return sameMethod && matchesRoute(route.path, path);
    });

  /** Needed roles of the newest paths: clients ask for few. */
  const neededRoles = new Map<string, Role | null>();
  const neededFor = (roleOf: RouteRole, method: string, path: string): Role | null => {
    const name = `${method} ${path}`;
    const known = neededRoles.get(name);
    if (known !== undefined) return known;
    const isMatch = (route: RoutePattern) =>
      matchesRoute(route.path, path) && route.method === (method === "HEAD" ? "GET" : method);
    const needed = isOpen(method, path) ? null : highestRole(routes.filter(isMatch).map(roleOf));
    if (neededRoles.size >= maxKnownPaths) neededRoles.clear();
    neededRoles.set(name, needed);
    return needed;
  };

  const refuseByRole = (caller: Caller, method: string, path: string): GuardDecision | null => {
    const needed = options.roleOf === undefined ? null : neededFor(options.roleOf, method, path);
    if (needed === null || hasRole(caller.role, needed)) return null;
    const own = caller.role === undefined ? "no role" : `the role ${caller.role}`;
    return refuse(
      new ServiceError("FORBIDDEN", `this needs the role ${needed}; ${caller.name ?? "the key"} has ${own}`),
    );
  };

  const refuseForeign = (request: Request, host: string): GuardDecision | null => {
    if (!isAllowedHost(host, names)) {
      counted.note("a request's Host header named an unknown host", { host });
      const expected = "an address of this machine, its host name, or a name listed in allowedHosts";
      return refuse(new ServiceError("FORBIDDEN", `host: expected ${expected}, got ${host.slice(0, 253)}`));
    }
    return refuseOtherPages(request, null);
  };

  /** Refuses a request of a browser that other web pages may have made it send, and that changes something. */
  const refuseOtherPages = (request: Request, session: Session | null): GuardDecision | null => {
    const foreign = session === null ? foreignOrigin(request) : foreignToOwnPages(request);
    if (foreign === null || (session === null && crossOrigin.allows(request.headers))) return null;
    counted.note("a request came from a web page of another origin", { origin: foreign.slice(0, 253) });
    const expected =
      session === null ? "requests from other web pages need an API key" : "expected a page of this server";
    const got = session === null ? "" : `, got ${foreign.slice(0, 253)}`;
    return refuse(new ServiceError("FORBIDDEN", `origin: ${expected}${got}`));
  };

  const callerOfSession = (session: Session, address: () => string | null, path: string): Caller | ServiceError => {
    const ended = "the session has expired: log in again";
    if (session.authorization === null) return new ServiceError("UNAUTHORIZED", ended);
    const caller = authenticator.authenticate(session.authorization, address, path);
    if (!(caller instanceof ServiceError) || caller.code !== "UNAUTHORIZED") return caller;
    session.end();
    return new ServiceError("UNAUTHORIZED", `${ended} (${caller.message})`);
  };

  const decide = (
    request: Request,
    address: () => string | null,
    authorization: string | null,
    session: Session | null,
  ): GuardDecision => {
    const target = requestTarget(request);
    if (target.kind === "malformed") return refuse(new ServiceError("INVALID_REQUEST", target.reason));
    const { path } = target;
    if (target.kind === "absolute" && request.url.indexOf("/", pathFrom) !== target.pathAt)
      return refuse(
        new ServiceError("INVALID_REQUEST", "host: expected at least 3 characters where this API encrypts"),
      );
    if (options.roleOf !== undefined) noteSender(request, address);
    if (target.kind === "without-host") {
      // Only probes of load balancers still speak HTTP/1.0.
      if (!["GET", "HEAD"].includes(request.method) || !isOpen(request.method, path)) {
        return refuse(new ServiceError("INVALID_REQUEST", "host: expected a Host header, got nothing"));
      }
      return { kind: "pass", request: new Request(`http://localhost${request.url}`, request) };
    }
    if (authenticator.keysRequired) {
      const preflight = crossOrigin.preflight(request, () => allowedMethods(routes, path));
      if (preflight !== null) return { kind: "answer", response: preflight };
      const otherPage = session === null ? null : refuseOtherPages(request, session);
      if (otherPage !== null) return otherPage;
      const caller =
        session === null
          ? authenticator.authenticate(authorization, address, path)
          : callerOfSession(session, address, path);
      if (!(caller instanceof ServiceError)) {
        noteCaller(request, caller);
        return refuseByRole(caller, request.method, path) ?? { kind: "pass", request };
      }
      if (!isOpen(request.method, path))
        return refuse(
          caller,
          ["UNAUTHORIZED", "TOO_MANY_REQUESTS"].includes(caller.code) ? { "www-authenticate": "Bearer" } : {},
        );
      return refuseOtherPages(request, null) ?? { kind: "pass", request };
    }
    const refusal = refuseForeign(request, target.host);
    if (refusal !== null) return refusal;
    const preflight = crossOrigin.preflight(request, () => allowedMethods(routes, path));
    if (preflight !== null) return { kind: "answer", response: preflight };
    const known = authenticator.recognize(authorization, path);
    if (known instanceof ServiceError) return isOpen(request.method, path) ? { kind: "pass", request } : refuse(known);
    const caller = known ?? (options.roleOf === undefined ? null : anyone);
    if (caller === null) return { kind: "pass", request };
    noteCaller(request, caller);
    return refuseByRole(caller, request.method, path) ?? { kind: "pass", request };
  };
  return (request, address) => {
    const given = authorizationOf(request.headers);
    const session = authenticator.keysRequired ? sessionOf(request, given, options.sessions ?? null) : null;
    // Waited for before anything is decided, and before any of the body is read.
    const wait = authenticator.prepare(given ?? session?.authorization ?? null);
    const go = () => decide(request, address, given, session);
    return wait === null ? go() : wait.then(go);
  };
}
