import { issuedKeys, needsIssuedKey } from "#agent/access/issued-keys.ts";
import type { WatchedModel } from "#agent/capacity/capacity-watch.ts";
import { registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { assertListenAllowed, warnOfPlainText } from "#platform/http/guard/listen-address.ts";
import type { HttpServer } from "#platform/http/serve-http.ts";
import { TextEmbedder } from "./admission/embed-texts.ts";
import type { Embedder } from "./admission/embedder.ts";
import type { EmbedderParts } from "./admission/embedder-parts.ts";
import { withLatencyBudgets } from "./admission/latency-budgets.ts";
import { ResultCache } from "./admission/result-cache.ts";
import { createTenantWeights } from "./admission/tenant.ts";
import { createGpuMonitor } from "./gpu/gpu-monitor.ts";
import { type GrpcApi, openGrpc } from "./grpc/open-grpc.ts";
import { healthReport, modelEntry, type ServingState, withoutDetails } from "./http/health-report.ts";
import { settingsOf } from "./models/model-settings.ts";
import { vectorSpaceOf } from "./models/vector-space.ts";
import type { RoleView } from "./ports.ts";
import { createModelPool } from "./residency/create-model-pool.ts";
import type { ListedModel, ModelPool } from "./residency/model-pool.ts";
import { serveApi } from "./serve-api.ts";
import { createServingMetrics, type ServingMetrics } from "./serving-metrics.ts";
import type { ServingOptions } from "./serving-options.ts";
import { TenantLimits } from "./tenants/tenant-limits.ts";
import { withTenantModels } from "./tenants/tenant-models.ts";
import { TenantQuotas } from "./tenants/tenant-quotas.ts";

/** Name of the model of an agent that only passes requests on. */
const noModel = "none";

/** A start waits no longer for a model that does not load. */
const startWaitMs = 15_000;

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
  #cache: ResultCache | undefined;
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
    const { config, log, metrics: registry, tls } = this.#options;
    assertListenAllowed("serving", { ...config, hasIssuedKeys: needsIssuedKey(config) });
    warnOfPlainText("serving", config.host, tls !== undefined, log);
    const cache = new ResultCache(config.cacheBytes);
    this.#cache = cache;
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
    const quotas =
      access === undefined
        ? undefined
        : new TenantQuotas({
            ...{ tenant, agentId: this.#options.agentId ?? "", use: access.quotaUse },
            nowMs: () => this.#options.clock.nowMs(),
          });
    const limits = new TenantLimits({
      ...(quotas === undefined ? {} : { quotas }),
      ...{ tenant, agentId: this.#options.agentId ?? "", nowMs: () => performance.now() },
      recordRefused: (request, error, startedMs) => home.recordRefused(request, error, startedMs),
    });
    const embedder = withTenantModels(limits.before(withLatencyBudgets(mesh?.route(home) ?? home, config)), {
      tenant,
      idOf: (name) => home.model(name)?.id ?? null,
    });
    this.#embedder = embedder;
    const issued = issuedKeys(access, config);
    const authenticator = createAuthenticator({
      ...{ apiKeys: config.apiKeys, log, peers: mesh?.peers ?? null },
      ...(issued === undefined ? {} : { issued }),
      rights: { role: "admin", name: "a configured key" },
    });
    registerTotal(registry, "thormesh_wrong_api_keys_total", "Requests with a wrong API key", authenticator.wrongKeys);
    const state = this.#createState();
    this.#server = serveApi(this.#options, {
      ...{ pool, embedder, authenticator, state, limits, refused: home.refused },
      meshRoutes: mesh?.routes(home) ?? [],
    });
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
      refusalOf(tenant, bytes) {
        const error = limits.refusal(tenant);
        // Nobody waits for the answer: the call is over.
        if (error !== null) void home.refused.refuseUnread({ tenant, bytes, signal: AbortSignal.abort() }, error);
        return error;
      },
      tracing: this.#options.tracing,
      tls,
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
    this.#options.tls?.stop();
    this.#options.access?.quotaUse.flush();
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

  /** Forgets the texts of a tenant that are kept for repeated requests. Returns their number. */
  forgetTenant(tenant: string): number {
    return this.#cache?.forgetTenant(tenant) ?? 0;
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
      keysRequired: config.apiKeys.length > 0 || needsIssuedKey(config),
      stopping: () => this.#announced !== undefined,
      extraChecks: () => ({ ...this.#grpc?.checks(), ...extraChecks?.() }),
    };
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
