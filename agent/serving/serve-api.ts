import type { AnyElysia } from "elysia";
import { createHttpApp, type HttpApp } from "#platform/http/create-http-app.ts";
import type { Authenticator } from "#platform/http/guard/authenticate.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import { neededRole } from "#platform/http/guard/roles.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import type { Embedder } from "./admission/embedder.ts";
import { createReranker } from "./admission/rerank-texts.ts";
import { azureRoutes } from "./http/azure-routes.ts";
import type { ServingState } from "./http/health-report.ts";
import { infoRoutes } from "./http/info-routes.ts";
import { nativeRoutes } from "./http/native-routes.ts";
import { ollamaRoutes } from "./http/ollama-routes.ts";
import { openAiRoutes } from "./http/openai-routes.ts";
import { rerankRoutes } from "./http/rerank-routes.ts";
import { statusRoutes } from "./http/status-routes.ts";
import { teiRoutes } from "./http/tei-routes.ts";
import { tokenVectorRoutes } from "./http/token-vector-routes.ts";
import type { ModelManifest } from "./models/model-manifest.ts";
import type { ModelPool } from "./residency/model-pool.ts";
import type { ServingOptions } from "./serving-options.ts";
import { refusingUnread, type UnreadParts } from "./tenants/refuse-unread.ts";
import type { TenantLimits } from "./tenants/tenant-limits.ts";
import { traceHttp } from "./tracing/trace-http.ts";

/** Paths at which OpenAI's and Azure's clients expect errors in OpenAI's shape. */
const openAiPaths = /^\/(v1|openai\/(deployments|v1))\//;

const errorStyleOf = (path: string) => (openAiPaths.test(path) ? ("openai" as const) : ("plain" as const));

/** Running parts that the API is about. */
export interface ApiParts {
  readonly pool: ModelPool;
  readonly embedder: Embedder;
  readonly authenticator: Authenticator;
  readonly state: ServingState;
  readonly meshRoutes: readonly AnyElysia[];
  readonly limits: Pick<TenantLimits, "headersOf" | "refusal">;
  readonly refused: UnreadParts["refused"];
}

/**
 * Serves the HTTP API of the models in `pool`.
 * @throws UsageError when the address or port can't be listened on.
 */
export function serveApi(options: ServingOptions, parts: ApiParts): HttpServer {
  const { config, log, clock, version, metrics, tracing, mesh, extraRoutes = [] } = options;
  const { pool, embedder, authenticator, state, meshRoutes, limits, refused } = parts;
  const { host, port, maxBodyBytes } = config;
  const startedAtS = Math.floor(clock.nowMs() / 1000);
  const models = () => pool.list();
  const firstOfKind = (kind: ModelManifest["kind"]) =>
    models().find(({ found }) => found.manifest.kind === kind)?.found.manifest.id ?? null;
  const modelOf = (id: string) => models().find(({ found }) => found.manifest.id === id)?.model;
  const engineOf = (id: string) => modelOf(id)?.engine() ?? null;
  const tenantRoutes = new Set<string>();
  const forTenants = <T extends AnyElysia>(routes: T): T => {
    for (const { method, path } of routes.routes) tenantRoutes.add(`${method} ${path}`);
    return routes;
  };
  const app = createHttpApp({
    about: {
      title: "thormesh agent",
      description: "Text embeddings, and what this device does and why.",
      version,
    },
    authenticator,
    hostNames: config.allowedHosts,
    cors: config.cors,
    errorStyleOf,
    log,
    encrypted: options.tls !== undefined,
    // A tenant's key opens what tenants use; the rest tells of others, or changes something.
    roleOf: (route) => (tenantRoutes.has(`${route.method} ${route.path}`) ? "embed" : neededRole(route)),
    responseRoutes: [
      nativeRoutes(embedder, config),
      openAiRoutes(
        embedder,
        config,
        () => models().map((model) => model.found),
        (name) => pool.find(name),
        () => startedAtS,
        Object.keys(config.aliases),
      ),
      azureRoutes(embedder, config),
      ollamaRoutes(embedder, config, (name) => pool.find(name)),
      ...meshRoutes,
      teiRoutes(embedder, config),
      tokenVectorRoutes(embedder, config, () => firstOfKind("sparse")),
    ].map(forTenants),
    routes: [
      forTenants(
        infoRoutes({
          ...{ version, config, model: (name: string | undefined) => pool.find(name), engine: engineOf },
          longestText: (id) => modelOf(id)?.tokenizer.idMarks.maxTokens ?? null,
        }),
      ),
      forTenants(
        rerankRoutes(
          createReranker(embedder, () => firstOfKind("cross-encoder")),
          config,
        ),
      ),
      statusRoutes(state, metrics),
      ...extraRoutes,
    ],
  });
  const told = mesh === undefined ? app : { ...app, fetch: withHeaders(app, (request) => mesh.answerHeaders(request)) };
  // Every answer to a tenant with limits states them.
  const limited = {
    ...told,
    guardRequest: refusingUnread(told.guardRequest, { limits, refused }),
    answerHeaders(request: Request) {
      const tenant = callerOf(request)?.tenant ?? null;
      const headers = told.answerHeaders(request);
      return tenant === null ? headers : { ...headers, ...limits.headersOf(tenant) };
    },
  };
  const handler = tracing === undefined ? limited : traceHttp(limited, tracing);
  return serveHttp(handler, { host, port, maxBodyBytes, errorStyleOf, log, tls: options.tls });
}

/** Answers as an app does, with more headers for some requests; the app's guard has let them in. */
function withHeaders(
  app: HttpApp,
  headersOf: (request: Request) => Readonly<Record<string, string>> | null,
): HttpApp["fetch"] {
  return (request) => {
    const headers = headersOf(request);
    if (headers === null) return app.fetch(request);
    return Promise.resolve(app.fetch(request)).then((response) => {
      for (const name in headers) response.headers.set(name, headers[name] as string);
      return response;
    });
  };
}
