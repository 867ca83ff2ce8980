import type { AnyElysia } from "elysia";
import type { Registry } from "prom-client";
import type { WatchedModel } from "#agent/capacity/capacity-watch.ts";
import type { Clock } from "#platform/clock.ts";
import { registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { createHttpApp, type HttpApp } from "#platform/http/create-http-app.ts";
import { type Authenticator, createAuthenticator, type IssuedKeys } from "#platform/http/guard/authenticate.ts";
import { assertListenAllowed } from "#platform/http/guard/listen-address.ts";
import { callerOf } from "#platform/http/guard/request-caller.ts";
import { neededRole } from "#platform/http/guard/roles.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import type { TenantAccess } from "#protocol/messages.ts";
import { TextEmbedder } from "./admission/embed-texts.ts";
import type { Embedder } from "./admission/embedder.ts";
import type { EmbedderParts } from "./admission/embedder-parts.ts";
import { withLatencyBudgets } from "./admission/latency-budgets.ts";
import { createReranker } from "./admission/rerank-texts.ts";
import { ResultCache } from "./admission/result-cache.ts";
import { createTenantWeights } from "./admission/tenant.ts";
import { createGpuMonitor, type GpuMonitor } from "./gpu/gpu-monitor.ts";
import { type GrpcApi, openGrpc } from "./grpc/open-grpc.ts";
import { azureRoutes } from "./http/azure-routes.ts";
import { healthReport, modelEntry, type ServingState, withoutDetails } from "./http/health-report.ts";
import { infoRoutes } from "./http/info-routes.ts";
import { nativeRoutes } from "./http/native-routes.ts";
import { ollamaRoutes } from "./http/ollama-routes.ts";
import { openAiRoutes } from "./http/openai-routes.ts";
import { rerankRoutes } from "./http/rerank-routes.ts";
import { statusRoutes } from "./http/status-routes.ts";
import { teiRoutes } from "./http/tei-routes.ts";
import { tokenVectorRoutes } from "./http/token-vector-routes.ts";
import type { MeshEntry } from "./mesh-entry.ts";
import type { ModelManifest } from "./models/model-manifest.ts";
import { settingsOf } from "./models/model-settings.ts";
import { vectorSpaceOf } from "./models/vector-space.ts";
import type { HealthCheck, RoleView, TrafficSink } from "./ports.ts";
import { createModelPool, type PoolOptions } from "./residency/create-model-pool.ts";
import type { ListedModel, ModelPool } from "./residency/model-pool.ts";
import { createServingMetrics, type ServingMetrics } from "./serving-metrics.ts";
import { TenantLimits } from "./tenants/tenant-limits.ts";
import { withTenantModels } from "./tenants/tenant-models.ts";
import { traceHttp } from "./tracing/trace-http.ts";
import type { Tracing } from "./tracing/tracing.ts";

export interface ServingOptions extends PoolOptions {
  readonly clock: Clock;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: Registry;
  readonly version: string;
  /** Undefined: requests are not traced. */
  readonly tracing?: Tracing | undefined;
  /** Default: by nvidia-smi. */
  readonly gpus?: GpuMonitor;
  readonly extraChecks?: () => Readonly<Record<string, HealthCheck>>;
  /** More routes under the same address, key and error shapes. */
  readonly extraRoutes?: readonly AnyElysia[];
  /** By which the controller divides limits. Default: none. */
  readonly agentId?: string;
  /** Tenants and keys that the controller told of. Default: none. */
  readonly access?: IssuedKeys & { tenant(name: string): TenantAccess | undefined };
  /** Answers requests here or elsewhere. Default: here. */
  readonly mesh?: MeshEntry;
}

/** Name of the model of an agent that only passes requests on. */
const noModel = "none";

/** A start waits no longer for a model that does not load. */
const startWaitMs = 15_000;

/** Paths at which OpenAI's and Azure's clients expect errors in OpenAI's shape. */
const openAiPaths = /^\/(v1|openai\/(deployments|v1))\//;

const errorStyleOf = (path: string) => (openAiPaths.test(path) ? ("openai" as const) : ("plain" as const));

/** The announcement of a stop, with the agent's role and readiness at that time. */
interface AnnouncedStop {
  readonly sinceMs: number;
  readonly role: RoleView["role"];
  readonly wasReady: boolean;
}

/** Text in, vectors out: the HTTP and gRPC APIs and the models behind them. Nothing happens before `start`. */
export class Serving {
  readonly #options: ServingOptions;
  readonly #role: RoleView;
  #pool: ModelPool | undefined;
  #embedder: Embedder | undefined;
  #server: HttpServer | undefined;
  #grpc: GrpcApi | undefined;
  #announced: AnnouncedStop | undefined;
  #stopping = false;

  constructor(options: ServingOptions) {
    this.#options = options;
    // The role stays as it was at the announcement until the listeners are closed.
    const announcedRole = () => this.#announced?.role;
    this.#role = {
      get role() {
        return announcedRole() ?? options.role.role;
      },
      servingPeers: () => options.role.servingPeers(),
    };
  }

  /**
   * Listens and loads the model. Resolves when it is loaded, or after 15 s without it: requests then wait for it.
   * @throws UsageError when the address, the port or the model is not as configured; `stop` ends what was started until then.
   */
  async start(): Promise<void> {
    const { config, log, metrics: registry } = this.#options;
    assertListenAllowed("serving", { ...config, hasIssuedKeys: config.requireKeys });
    const cache = new ResultCache(config.cacheBytes);
    const weightOf = createTenantWeights(config.tenants);
    const metrics = this.#createMetrics(cache);
    const pool = createModelPool(this.#options, { metrics, weightOf, isGateway: this.#isGateway() });
    this.#pool = pool;
    const started = await pool.start();
    // What follows costs no time: the model is being loaded in its process.
    const home = new TextEmbedder({
      acquireModel: (name, signal) => pool.acquire(name, signal),
      findModel: (name) => pool.find(name),
      loadedModel: (id) => {
        const model = pool.list().find(({ found: { manifest } }) => manifest.id === id);
        return model?.status === "loaded" ? model.model : null;
      },
      queueDepth: () => pool.queueDepth(),
      sink: this.#options.sink,
      role: this.#role,
      metrics,
      cache,
      stopping: () => this.#stopping,
      tokenIdsOf: createTokenIdsOf(config),
      limits: config,
      weightOf,
      log,
    });
    const { mesh } = this.#options;
    const { access } = this.#options;
    const tenant = (name: string) => access?.tenant(name);
    const limits = new TenantLimits({
      ...{ tenant, agentId: this.#options.agentId ?? "", nowMs: () => performance.now() },
      recordRefused: (request, error, startedMs) => home.recordRefused(request, error, startedMs),
    });
    const embedder = withTenantModels(limits.before(withLatencyBudgets(mesh?.route(home) ?? home, config)), {
      tenant,
      idOf: (name) => home.model(name)?.id ?? null,
    });
    this.#embedder = embedder;
    const authenticator = createAuthenticator({
      ...{ apiKeys: config.apiKeys, log, peers: mesh?.peers ?? null },
      ...(access === undefined ? {} : { issued: access }),
      rights: { role: "admin", name: "a configured key" },
    });
    registerTotal(registry, "thormesh_wrong_api_keys_total", "Requests with a wrong API key", authenticator.wrongKeys);
    const state = this.#createState();
    this.#server = this.#serveHttp(pool, embedder, authenticator, state, mesh?.routes(home) ?? [], limits);
    const about =
      started === null
        ? { model: noModel }
        : {
            ...{ model: started.found.manifest.id, origin: started.found.origin },
            threads: settingsOf(config, started.found.manifest).threads,
          };
    log.info({ url: this.#server.url, ...about }, "serving");
    this.#grpc = await openGrpc(config, {
      authenticator,
      log,
      embedder,
      view: {
        health: (detailed) => (detailed ? healthReport(state) : withoutDetails(healthReport(state))),
        models: () => Promise.all(this.#models().map(modelEntry)),
      },
      ready: () => this.#notReadyReason() === null,
      tracing: this.#options.tracing,
    });
    if (started === null) return;
    await Promise.race([started.firstLoaded, Bun.sleep(startWaitMs)]);
    if (this.#models()[0]?.status !== "loaded") log.error(about, "started without its model, which is tried again");
  }

  /**
   * Announces a stop by `/readyz` and gRPC's health service. Requests are still answered, whatever becomes of the role, so that load balancers
   * and clients with open connections can move to other agents without losing a request.
   */
  announceStop(): void {
    if (this.#announced !== undefined) return;
    const wasReady = this.#server !== undefined && this.#notReadyReason() === null;
    this.#announced = { sinceMs: performance.now(), role: this.#role.role, wasReady };
    this.#server?.announceStop();
  }

  /**
   * Announces the stop for `stopAnnounceMs` if requests were answered until then, closes the listeners, waits up to `stopGraceMs` for requests
   * in flight, and ends the models' processes.
   */
  async stop(): Promise<void> {
    const { config } = this.#options;
    this.announceStop();
    if (this.#announced?.wasReady === true) {
      const announcedMs = performance.now() - this.#announced.sinceMs;
      await Bun.sleep(Math.max(0, config.stopAnnounceMs - announcedMs));
    }
    this.#stopping = true;
    await Promise.all([this.#server?.stop(config.stopGraceMs), this.#grpc?.stop(config.stopGraceMs)]);
    await this.#pool?.stop();
  }

  /** Port of the HTTP API; 0 before `start`. */
  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** Base URL of the HTTP API; "" before `start`. */
  get url(): string {
    return this.#server?.url ?? "";
  }

  /** Address of the gRPC API, `host:port`; null where it is not served. */
  get grpcAddress(): string | null {
    return this.#grpc?.address ?? null;
  }

  queueDepth(): number {
    return this.#embedder?.queueDepth() ?? 0;
  }

  loadedModels() {
    const loaded = this.#models().filter(({ status }) => status === "loaded");
    return loaded.map(({ found }) => {
      const { id, dimension, revision } = found.manifest;
      return { id, dimension, revision, space: vectorSpaceOf(found) };
    });
  }

  /** Ids of the models' processes. */
  modelPids(): number[] {
    return this.#models().flatMap(({ model }) => model?.pids() ?? []);
  }

  /** Loaded models and their queues. */
  watchedModels(): WatchedModel[] {
    return this.#models().flatMap(({ found, status, model }) =>
      model === null || status !== "loaded" ? [] : [{ id: found.manifest.id, queue: model.queue }],
    );
  }

  inFlight(): number {
    return this.#embedder?.inFlight() ?? 0;
  }

  /** All models, the default one first. */
  #models(): ListedModel[] {
    return this.#pool?.list() ?? [];
  }

  /** Reason that requests for vectors are refused now; null while they are answered. */
  #notReadyReason(): string | null {
    if (this.#announced !== undefined) return "stopping";
    if (this.#isGateway()) return this.#options.mesh?.notReadyReason() ?? null;
    const { role } = this.#role;
    if (role !== "active") return `the agent's role is ${role}`;
    const [standard] = this.#models();
    if (standard === undefined) return "there is no model";
    const { id } = standard.found.manifest;
    const state = standard.model?.runner.state ?? standard.status;
    if (state !== "loaded") return `model ${id} is ${state}`;
    return standard.model?.runner.answers() === false ? `model ${id} does not answer` : null;
  }

  /** True without a model of its own: all requests are passed on. */
  #isGateway(): boolean {
    return this.#options.config.model === noModel;
  }

  #createMetrics(cache: ResultCache): ServingMetrics {
    return createServingMetrics(this.#options.metrics, {
      queueDepth: () => this.queueDepth(),
      inFlight: () => this.inFlight(),
      cachedBytes: () => cache.bytes(),
      runners: () => this.#models().flatMap(({ model }) => model?.runner ?? []),
      modelBytes: () => this.#pool?.usedBytes() ?? 0,
      doubts: () =>
        this.#models().flatMap(({ found, model }) =>
          model === null ? [] : [[found.manifest.id, model.doubt() !== null]],
        ),
      gpus: this.#options.gpus ?? createGpuMonitor(() => performance.now()),
    });
  }

  #createState(): ServingState {
    const { config, version, extraChecks } = this.#options;
    return {
      version,
      providers: config.executionProviders,
      models: () => this.#models(),
      isGateway: this.#isGateway(),
      leftOut: () => this.#pool?.leftOut() ?? new Map(),
      notReadyReason: () => this.#notReadyReason(),
      keysRequired: config.apiKeys.length > 0 || config.requireKeys,
      stopping: () => this.#announced !== undefined,
      extraChecks: () => ({ ...this.#grpc?.checks(), ...extraChecks?.() }),
    };
  }

  #serveHttp(
    pool: ModelPool,
    embedder: Embedder,
    authenticator: Authenticator,
    state: ServingState,
    meshRoutes: readonly AnyElysia[],
    limits: Pick<TenantLimits, "headersOf">,
  ): HttpServer {
    const { config, log, clock, version, metrics, tracing, extraRoutes = [] } = this.#options;
    const { host, port, maxBodyBytes } = config;
    const startedAtS = Math.floor(clock.nowMs() / 1000);
    const models = () => this.#models();
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
        description: "Text embeddings, with what this device does and why.",
        version,
      },
      authenticator,
      hostNames: config.allowedHosts,
      cors: config.cors,
      errorStyleOf,
      log,
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
    const { mesh } = this.#options;
    const told =
      mesh === undefined ? app : { ...app, fetch: withHeaders(app, (request) => mesh.answerHeaders(request)) };
    // A tenant with limits is told them with every answer.
    const limited = {
      ...told,
      answerHeaders(request: Request) {
        const tenant = callerOf(request)?.tenant ?? null;
        const headers = told.answerHeaders(request);
        return tenant === null ? headers : { ...headers, ...limits.headersOf(tenant) };
      },
    };
    const handler = tracing === undefined ? limited : traceHttp(limited, tracing);
    return serveHttp(handler, { host, port, maxBodyBytes, errorStyleOf, log });
  }
}

type TokenIdsOf = NonNullable<EmbedderParts["tokenIdsOf"]>;

/** Creates a function that returns which token ids a model takes, by its settings: read once, as every request asks. */
function createTokenIdsOf(config: Parameters<typeof settingsOf>[0]): TokenIdsOf {
  const known = new WeakMap<object, ReturnType<TokenIdsOf>>();
  return (manifest) => {
    let tokenIds = known.get(manifest);
    if (tokenIds === undefined) {
      tokenIds = settingsOf(config, manifest).tokenIds;
      known.set(manifest, tokenIds);
    }
    return tokenIds;
  };
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
