import { type AnyElysia, Elysia } from "elysia";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { allowedMethods, type RoutePattern } from "./allowed-methods.ts";
import { answerJson } from "./answer-text.ts";
import { invalidValue } from "./body/read-json-body.ts";
import { type ErrorStyle, errorResponse } from "./error-response.ts";
import type { Authenticator } from "./guard/authenticate.ts";
import { type CorsConfig, CrossOriginAccess } from "./guard/cross-origin-access.ts";
import { createRequestGuard, type RequestGuard } from "./guard/guard-request.ts";
import { callerOf } from "./guard/request-caller.ts";
import { requestPath } from "./guard/request-target.ts";
import { hasRole, type Role, type RouteRole } from "./guard/roles.ts";
import { isOpenRoute } from "./open-route.ts";
import { type ApiDescription, openApiPage } from "./openapi-page.ts";
import { requestFailures } from "./request-failure.ts";
import { sessionPath } from "./session/session-cookie.ts";
import type { SessionFinder } from "./session/session-finder.ts";

interface HttpAppOptions {
  readonly about: ApiDescription;
  readonly authenticator: Authenticator;
  /** Further names of this server, besides its addresses and host name, that a Host header may have. */
  readonly hostNames?: readonly string[];
  /** Web pages of other origins that may use the API. Default: none. */
  readonly cors?: CorsConfig;
  /** Shape of errors under a path; `plain` by default. */
  readonly errorStyleOf?: (path: string) => ErrorStyle;
  readonly log: Logger;
  /** True for an API that is served encrypted. Default: false. */
  readonly encrypted?: boolean;
  /** Role that each route needs, of those that callers have. Default: a valid key opens every route. */
  readonly roleOf?: RouteRole;
  /** Routes that return `Response` objects, streamed where they are long: nothing maps them, for speed. */
  readonly responseRoutes?: readonly AnyElysia[];
  readonly routes: readonly AnyElysia[];
  /** Refusal of every request that may change something, before its body is read. Default: none is refused. */
  readonly refuseChanges?: () => ServiceError;
  /** Sessions of browsers that logged in. Default: cookies mean nothing. */
  readonly sessions?: SessionFinder;
}

/** API that answers the requests that its guard has accepted. */
export interface HttpApp {
  readonly guardRequest: RequestGuard;
  /** Headers that every answer to a request gets. */
  answerHeaders(request: Request): Readonly<Record<string, string>>;
  fetch(request: Request): Response | Promise<Response>;
  readonly routes: readonly RoutePattern[];
}

interface FailedRequest {
  readonly code: string | number;
  readonly error: unknown;
  readonly request: Request;
  readonly path: string;
}

/** Maps anything thrown while a request was handled to the error that its client sees. */
function toServiceError(failed: FailedRequest, app: AnyElysia, log: Logger): [ServiceError, Record<string, string>] {
  const { error, request, path } = failed;
  if (error instanceof ServiceError) return [error, {}];
  switch (failed.code) {
    case "NOT_FOUND": {
      const methods = allowedMethods(app.routes, path);
      if (methods.length === 0) return [new ServiceError("NOT_FOUND", `there is no ${path}`), {}];
      const allow = methods.join(", ");
      return [new ServiceError("METHOD_NOT_ALLOWED", `${path} takes ${allow}, not ${request.method}`), { allow }];
    }
    case "PARSE": {
      // Elysia wraps the error of reading the body.
      const { cause } = error as Error;
      if (cause instanceof ServiceError) return [cause, {}];
      return [new ServiceError("INVALID_REQUEST", "the body can't be read", { cause, details: { param: "body" } }), {}];
    }
    case "VALIDATION": {
      const { validator, value, type } = error as { validator: { schema?: unknown }; value: unknown; type: string };
      const schema = (validator.schema ?? validator) as Parameters<typeof invalidValue>[0];
      const invalid = invalidValue(schema, value, type);
      const message = type === "body" ? invalid.message : `${type}: ${invalid.message}`;
      return [new ServiceError(invalid.code, message, { details: { ...invalid.details } }), {}];
    }
    default:
      log.error({ err: error, method: request.method, path }, "request failed: this is a bug");
      return [new ServiceError("INTERNAL", "internal error; the server's log has more"), {}];
  }
}

/** A guard that also refuses what it passes, unless that only reads, or logs in or out. */
function refusingChanges(refusal: (() => ServiceError) | undefined, guard: RequestGuard): RequestGuard {
  if (refusal === undefined) return guard;
  return async (request, address) => {
    const decision = await guard(request, address);
    const isChange = !["GET", "HEAD", "OPTIONS"].includes(request.method) && requestPath(request) !== sessionPath;
    return decision.kind === "pass" && isChange ? { kind: "refuse", error: refusal(), headers: {} } : decision;
  };
}

/**
 * Assembles an API: the guard, the routes, errors as JSON (400 with the field at fault, 404, 405 with `Allow`, 5xx), and the OpenAPI page at
 * `/openapi`. Where keys are configured every route needs one, except those marked open ({@link openRoute}); the matched route is checked again
 * before its handler runs. Routes throw {@link ServiceError} for errors that their client should see.
 */
export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { authenticator, log, encrypted = false } = options;
  const styleOf = options.errorStyleOf ?? (() => "plain" as const);
  const openRoutes = new Set<string>();
  const routeRoles = new Map<string, Role>();
  const nameOf = (method: string, path: string) => `${method} ${path}`;
  const app: AnyElysia = new Elysia({
    // Elysia would silently remove unknown fields; here they are errors.
    normalize: false,
    // Elysia looks for the path from a fixed place in the URL: right after "http://", or after "https://" and a host of 3 characters.
    handler: { standardHostname: encrypted },
  }).onError(({ code, error, request, path }) => {
    const allowed = request.method === "OPTIONS" && code === "NOT_FOUND" ? allowedMethods(app.routes, path) : [];
    if (allowed.length > 0) return new Response(null, { status: 204, headers: { allow: allowed.join(", ") } });
    const [serviceError, headers] = toServiceError({ code, error, request, path }, app, log);
    requestFailures.set(request, serviceError);
    return errorResponse(serviceError, styleOf(path), headers);
  });
  app.onBeforeHandle({ as: "global" }, ({ request, route }) => {
    const name = nameOf(request.method === "HEAD" ? "GET" : request.method, route);
    if (openRoutes.has(name)) return;
    const caller = callerOf(request);
    const needed = options.roleOf === undefined ? null : (routeRoles.get(name) ?? "admin");
    if (needed === null ? caller !== undefined || !authenticator.keysRequired : hasRole(caller?.role, needed)) return;
    log.error({ method: request.method, route }, "a route was reached without its key or role: this is a bug");
    throw new ServiceError("UNAUTHORIZED", "a valid API key is needed: Authorization: Bearer KEY");
  });
  for (const routes of options.responseRoutes ?? []) app.use(routes);
  // Values that routes return may be megabytes long, and clients may read slowly.
  app.mapResponse({ as: "global" }, ({ responseValue }) => {
    if (typeof responseValue !== "object" || responseValue === null || responseValue instanceof Response) return;
    return answerJson(responseValue);
  });
  for (const routes of options.routes) app.use(routes);
  app.use(
    openApiPage(
      options.about,
      () => app,
      () => authenticator.keysRequired,
    ),
  );
  for (const route of app.routes) {
    const name = nameOf(route.method, route.path);
    if (isOpenRoute(route)) openRoutes.add(name);
    else if (options.roleOf !== undefined) routeRoles.set(name, options.roleOf(route));
  }
  const { refuseChanges } = options;
  const crossOrigin = new CrossOriginAccess(options.cors ?? { origins: [], maxAgeS: 0 });
  return {
    answerHeaders: (request) => crossOrigin.answerHeaders(request),
    guardRequest: refusingChanges(
      refuseChanges,
      createRequestGuard({
        authenticator,
        hostNames: options.hostNames ?? [],
        openRoutes: app.routes.filter(isOpenRoute).map(({ method, path }) => ({ method, path })),
        routes: app.routes,
        ...(options.roleOf === undefined ? {} : { roleOf: options.roleOf }),
        crossOrigin,
        sessions: options.sessions,
        pathFrom: encrypted ? 11 : 7,
        log,
      }),
    ),
    fetch: (request) => app.fetch(request),
    routes: app.routes,
  };
}
