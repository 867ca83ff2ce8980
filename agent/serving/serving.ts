import type { AnyElysia } from "elysia";
import type { Registry } from "prom-client";
import type { Clock } from "#platform/clock.ts";
import { registerTotal } from "#platform/fetch/scraped-metrics.ts";
import { createHttpApp } from "#platform/http/create-http-app.ts";
import { createAuthenticator } from "#platform/http/guard/authenticate.ts";
import { assertListenAllowed } from "#platform/http/guard/listen-address.ts";
import { type HttpServer, serveHttp } from "#platform/http/serve-http.ts";
import type { Logger } from "#platform/log.ts";
import { createEmbedder } from "./admission/embed-texts.ts";
import type { Embedder } from "./admission/embedder.ts";
import { createReranker } from "./admission/rerank-texts.ts";
import { createResultCache } from "./admission/result-cache.ts";
import { createTenantWeights } from "./admission/tenant.ts";
import { createGpuMonitor } from "./gpu/gpu-monitor.ts";
import { type GrpcFace, openGrpc } from "./grpc/open-grpc.ts";
import { infoRoutes } from "./http/info-routes.ts";
import { nativeRoutes } from "./http/native-routes.ts";
import { openAiRoutes } from "./http/openai-routes.ts";
import { rerankRoutes } from "./http/rerank-routes.ts";
import {
  describeHealth,
  describeModel,
  type ServingState,
  statusRoutes,
  withoutDetails,
} from "./http/status-routes.ts";
import { teiRoutes } from "./http/tei-routes.ts";
import { createAvailableModels, modelPlaces } from "./models/available-models.ts";
import { createFingerprintStore } from "./models/files/fingerprint-store.ts";
import { onnxChoice } from "./models/find-model.ts";
import { settingsOf } from "./models/model-settings.ts";
import type { ComputeGate, HealthCheck, RoleView, TrafficSink } from "./ports.ts";
import { openEmbeddingModel } from "./residency/embedding-model.ts";
import { ModelPool } from "./residency/model-pool.ts";
import type { ServingConfig } from "./serving-config.ts";
import { createServingMetrics } from "./serving-metrics.ts";
import { traceHttp } from "./tracing/trace-http.ts";
import type { Tracing } from "./tracing/tracing.ts";

export interface ServingOptions {
  readonly config: ServingConfig;
  readonly log: Logger;
  readonly clock: Clock;
  readonly gate: ComputeGate;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: Registry;
  readonly version: string;
  /** Undefined where requests are not traced. */
  readonly tracing?: Tracing | undefined;
  /** Where pulled models are, one directory a model; null = nowhere. */
  readonly pulledModels: string | null;
  /** Interval of the checks of files and memory; for tests. */
  readonly upkeepMs?: number;
  /** Directory of the models' fingerprints; null: not kept. */
  readonly fingerprints?: string | null;
  /** Told of a model's process that was killed because it did not answer. */
  readonly onHang?: (reason: string) => void;
  /** More checks of `/health`, by name. */
  readonly extraChecks?: () => Readonly<Record<string, HealthCheck>>;
  /** More routes under the same address, key and error shapes. */
  readonly extraRoutes?: readonly AnyElysia[];
}

export interface LoadedModel {
  readonly id: string;
  readonly dimension: number;
  readonly revision: string;
}

/** Text in, vectors out: the HTTP API and the models behind it. */
export interface Serving {
  /**
   * Listens and loads the model. Resolves when it is loaded, or after a while without: requests then wait for it.
   * @throws UsageError when the address, the port or the model is not as configured; `stop` ends what was started until then.
   */
  start(): Promise<void>;
  /**
   * Says by `/readyz` and gRPC's health service that it is about to go, and answers requests as before, whatever becomes of the role:
   * whoever asks its health, and whoever keeps a connection, turns to others without losing a request.
   */
  announceStop(): void;
  /**
   * Announces the stop for `stopAnnounceMs` where requests were answered until then, closes the listeners, finishes what is in flight for
   * up to `stopGraceMs`, ends the models' processes.
   */
  stop(): Promise<void>;
  /** 0 before `start`. */
  readonly port: number;
  /** Base address of the API, "" before `start`. */
  readonly url: string;
  /** Where gRPC is served, `host:port`; null where it is not. */
  readonly grpcAddress: string | null;
  /** Texts that wait. */
  queueDepth(): number;
  loadedModels(): LoadedModel[];
  /** Embedding requests that are being answered. */
  inFlight(): number;
}

/** A start is not held up for longer by a model that will not load. */
const startWaitMs = 15_000;

const errorStyleOf = (path: string) => (path.startsWith("/v1/") ? ("openai" as const) : ("plain" as const));

/** Nothing happens before `start`. */
export function createServing(options: ServingOptions): Serving {
  const { config, log, clock, gate, sink, metrics: registry, version } = options;
  let pool: ModelPool | undefined;
  let stopping = false;
  /** Since when the stop is announced, and the role it had then: it keeps it until the listeners are closed. */
  let leaving: { readonly sinceMs: number; readonly role: RoleView["role"]; readonly wasReady: boolean } | undefined;
  const role: RoleView = {
    get role() {
      return leaving?.role ?? options.role.role;
    },
    servingPeers: () => options.role.servingPeers(),
  };
  let server: HttpServer | undefined;
  let grpc: GrpcFace | undefined;
  let embedder: Embedder | undefined;

  const models = () => pool?.list() ?? [];

  const firstCrossEncoder = () =>
    models().find(({ found: { manifest } }) => manifest.kind === "cross-encoder")?.found.manifest.id ?? null;

  const notReadyReason = () => {
    if (leaving !== undefined) return "stopping";
    if (role.role !== "active") return `the agent's role is ${role.role}`;
    const [standard] = models();
    if (standard === undefined) return "no model is there";
    const state = standard.model?.runner.state ?? standard.status;
    if (state !== "loaded") return `model ${standard.found.manifest.id} is ${state}`;
    return standard.model?.runner.answers() === false ? `model ${standard.found.manifest.id} does not answer` : null;
  };

  const start = async () => {
    assertListenAllowed("serving", config);
    const cache = createResultCache(config.cacheBytes);
    const weightOf = createTenantWeights(config.tenants);
    const metrics = createServingMetrics(registry, {
      queueDepth: () => embedder?.queueDepth() ?? 0,
      inFlight: () => embedder?.inFlight() ?? 0,
      cachedBytes: () => cache.bytes(),
      runners: () => models().flatMap(({ model }) => model?.runner ?? []),
      modelBytes: () => pool?.usedBytes() ?? 0,
      doubts: () =>
        models().flatMap(({ found, model }) => (model === null ? [] : [[found.manifest.id, model.doubt() !== null]])),
      gpus: createGpuMonitor(() => performance.now()),
    });
    const fingerprints = createFingerprintStore(options.fingerprints ?? null, log);
    const opened = new ModelPool({
      available: createAvailableModels(
        modelPlaces(config.modelDirectory, options.pulledModels),
        (manifest) => onnxChoice(settingsOf(config, manifest)),
        log,
      ),
      defaultModel: config.model,
      pinned: config.pinned,
      memoryBytes: config.modelMemoryBytes,
      keepAliveMs: config.keepAliveS === null ? null : config.keepAliveS * 1000,
      open: (found, events) =>
        openEmbeddingModel(found, { ...config, ...settingsOf(config, found.manifest), weightOf, gate }, log, {
          onBatch: metrics.recordBatch,
          onRestart: () => metrics.recordModelRestart(found.manifest.id),
          judge: fingerprints.judge,
          onHang: (reason) => options.onHang?.(`of ${found.manifest.id} ${reason}`),
          onLoaded(loadMs, engine) {
            metrics.recordModelLoad(found.manifest.id, loadMs, engine);
            events.onLoaded();
          },
          onFailing: events.onFailing,
        }),
      observer: {
        onLookup: metrics.recordModelLookup,
        onEvicted: metrics.recordModelEviction,
      },
      ...(options.upkeepMs === undefined ? {} : { upkeepMs: options.upkeepMs }),
      nowMs: () => performance.now(),
      log,
    });
    pool = opened;
    const { found, firstLoaded } = await opened.start();
    // The model's process is loading by now, so what follows costs no time.
    embedder = createEmbedder({
      acquireModel: (name, signal) => opened.acquire(name, signal),
      queueDepth: () => opened.queueDepth(),
      sink,
      role,
      metrics,
      cache,
      stopping: () => stopping,
      limits: config,
      weightOf,
      log,
    });
    const state: ServingState = {
      version,
      providers: config.executionProviders,
      models,
      leftOut: () => pool?.leftOut() ?? new Map(),
      notReadyReason,
      keysRequired: config.apiKeys.length > 0,
      stopping: () => leaving !== undefined,
      extraChecks: () => ({ ...grpc?.checks(), ...options.extraChecks?.() }),
    };
    const authenticator = createAuthenticator({ apiKeys: config.apiKeys, log });
    registerTotal(registry, "thormesh_wrong_api_keys_total", "Requests with a wrong API key", authenticator.wrongKeys);
    const startedAtS = Math.floor(clock.nowMs() / 1000);
    const app = createHttpApp({
      about: {
        title: "thormesh agent",
        description: "Text embeddings, with what this device does and why.",
        version,
      },
      authenticator,
      hostNames: config.allowedHosts,
      errorStyleOf,
      log,
      responseRoutes: [
        nativeRoutes(embedder, config.maxInputs),
        openAiRoutes(
          embedder,
          config.maxInputs,
          () => models().map((model) => model.found),
          (name) => opened.find(name),
          () => startedAtS,
        ),
        teiRoutes(embedder, config.maxInputs),
      ],
      routes: [
        infoRoutes({
          version,
          config,
          model: (name) => opened.find(name),
          engine: (id) =>
            models()
              .find(({ found }) => found.manifest.id === id)
              ?.model?.engine() ?? null,
        }),
        rerankRoutes(createReranker(embedder, firstCrossEncoder), config.maxInputs),
        statusRoutes(state, registry),
        ...(options.extraRoutes ?? []),
      ],
    });
    const { host, port, maxBodyBytes } = config;
    const handler = options.tracing === undefined ? app : traceHttp(app, options.tracing);
    server = serveHttp(handler, { host, port, maxBodyBytes, errorStyleOf, log });
    log.info(
      {
        url: server.url,
        model: found.manifest.id,
        origin: found.origin,
        threads: settingsOf(config, found.manifest).threads,
      },
      "serving",
    );
    // While the model loads in its process, there is time for it in this one.
    grpc = await openGrpc({
      config,
      authenticator,
      log,
      embedder,
      view: {
        health: (detailed) => (detailed ? describeHealth(state) : withoutDetails(describeHealth(state))),
        models: () => Promise.all(models().map(describeModel)),
      },
      ready: () => notReadyReason() === null,
      tracing: options.tracing,
    });
    await Promise.race([firstLoaded, Bun.sleep(startWaitMs)]);
    if (models()[0]?.status !== "loaded")
      log.error({ model: found.manifest.id }, "started without its model: it goes on trying");
  };

  const announceStop = () => {
    if (leaving !== undefined) return;
    const wasReady = server !== undefined && notReadyReason() === null;
    leaving = { sinceMs: performance.now(), role: role.role, wasReady };
    server?.announceStop();
  };

  return {
    start,
    announceStop,
    async stop() {
      announceStop();
      if (leaving?.wasReady === true) {
        const toldMs = performance.now() - leaving.sinceMs;
        await Bun.sleep(Math.max(0, config.stopAnnounceMs - toldMs));
      }
      stopping = true;
      await Promise.all([server?.stop(config.stopGraceMs), grpc?.stop(config.stopGraceMs)]);
      await pool?.stop();
    },
    get port() {
      return server?.port ?? 0;
    },
    get url() {
      return server?.url ?? "";
    },
    get grpcAddress() {
      return grpc?.address ?? null;
    },
    queueDepth: () => embedder?.queueDepth() ?? 0,
    loadedModels: () =>
      models()
        .filter(({ status }) => status === "loaded")
        .map(({ found: { manifest } }) => ({
          id: manifest.id,
          dimension: manifest.dimension,
          revision: manifest.revision,
        })),
    inFlight: () => embedder?.inFlight() ?? 0,
  };
}
