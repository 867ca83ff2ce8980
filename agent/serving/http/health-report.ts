import { hiddenDetail } from "../hidden-detail.ts";
import type { EngineConfig } from "../onnxruntime/engine-options.ts";
import { type EngineReport, explainEngine } from "../onnxruntime/execution-provider.ts";
import type { HealthCheck } from "../ports.ts";
import type { ListedModel } from "../residency/model-pool.ts";

export interface ServingState {
  readonly version: string;
  /** True where there is no model, as all requests are passed on. */
  readonly isGateway: boolean;
  /** The default model first. */
  models(): readonly ListedModel[];
  leftOut(): ReadonlyMap<string, string>;
  /** Reason that a request for vectors would be refused now; null when it would be answered. */
  notReadyReason(): string | null;
  stopping(): boolean;
  /** Keys are configured: details of the checks are then only for requests with one that is no tenant's. */
  readonly keysRequired: boolean;
  readonly providers: EngineConfig["executionProviders"];
  /** Checks of parts beyond serving. */
  extraChecks(): Readonly<Record<string, HealthCheck>>;
}

const noTraffic = { latencyP95Ms: null, throughputQps: 0 };

export type ModelEntry = Awaited<ReturnType<typeof modelEntry>>;

/** Answer of `GET /health`. */
export interface HealthReport {
  readonly status: "healthy" | "degraded" | "stopping";
  /** Status of each part. */
  readonly checks: Readonly<Record<string, string>>;
  /** Reason of each status, under the same names. */
  readonly details: Readonly<Record<string, string>>;
  readonly version: string;
}

/** Entry of a model in `GET /models`; memory is null while it is not loaded. */
export async function modelEntry({ found, model, status, pinned, problem }: ListedModel) {
  const { id, name, kind, dimension, params, maxTokens, revision, aliases } = found.manifest;
  const { latencyP95Ms, throughputQps } = model?.recent.summary(performance.now()) ?? noTraffic;
  const memoryBytes = (await model?.memoryBytes()) ?? null;
  return {
    id,
    name,
    kind,
    dimension,
    params,
    memory_mb: memoryBytes === null ? null : Math.round(memoryBytes / 2 ** 20),
    latency_p95_ms: latencyP95Ms === null ? null : Math.round(latencyP95Ms * 100) / 100,
    throughput_qps: Math.round(throughputQps * 100) / 100,
    status,
    max_tokens: model?.tokenizer.idMarks.maxTokens ?? maxTokens,
    revision,
    aliases,
    pinned,
    problem,
    notes: model?.notes() ?? found.notes,
    execution_provider: model?.engine()?.provider ?? null,
  };
}

/** Falling back to another provider is a defect where the operator asked for one by name. */
export function providerCheck(engine: EngineReport | null, wanted: EngineConfig["executionProviders"]) {
  if (engine === null) return { status: "loading", detail: "the default model is being loaded" };
  const asWanted = engine.libraryProblem === null && (wanted === "auto" || wanted[0] === engine.provider);
  return { status: asWanted ? "healthy" : "degraded", detail: explainEngine(engine) };
}

function gpuCheck(engine: EngineReport | null, wanted: EngineConfig["executionProviders"]) {
  if (engine !== null && engine.provider !== "cpu")
    return { status: "healthy", detail: `computes with ${engine.provider}` };
  const [refused] = engine?.refused ?? [];
  if (refused === undefined) return { status: "unused", detail: "this program's ONNX Runtime computes on the CPU" };
  const named = wanted !== "auto" && wanted[0] === refused.provider;
  return { status: named ? "degraded" : "unused", detail: `${refused.provider} can't be used: ${refused.reason}` };
}

/** Answer of `GET /health`: `healthy` if all checks are, `stopping` at the end, otherwise `degraded`. */
export function healthReport(state: ServingState): HealthReport {
  const models = state.models();
  const [standard] = models;
  const loaded = models.filter(({ status }) => status === "loaded");
  const failing = models.filter(({ status, problem }) => status !== "loaded" && problem !== null);
  const provider = state.isGateway
    ? { status: "unused", detail: "this agent has no model and passes requests on" }
    : standard !== undefined && failing.includes(standard)
      ? { status: "unhealthy", detail: `${standard.found.manifest.id} can't be loaded: ${standard.problem}` }
      : standard?.model?.runner.answers() === false && standard.status === "loaded"
        ? { status: "unhealthy", detail: `the process of model ${standard.found.manifest.id} does not answer` }
        : standard?.status !== "loaded"
          ? { status: "loading", detail: "the default model is being loaded" }
          : providerCheck(standard.model?.engine() ?? null, state.providers);
  const cacheDetail = [
    `${loaded.length} of ${models.length} models loaded`,
    ...failing.map(({ found, problem }) => `${found.manifest.id} can't be loaded: ${problem}`),
    ...[...state.leftOut()].map(([name, reason]) => `${name} is not served: ${reason}`),
  ].join("; ");
  const doubts = loaded.flatMap(({ found, model }) => {
    const doubt = model?.doubt() ?? null;
    return doubt === null ? [] : [`${found.manifest.id}: ${doubt}`];
  });
  const extraChecks = state.extraChecks();
  const cacheStatus = failing.length > 0 || state.leftOut().size > 0 ? "degraded" : "healthy";
  const allWell =
    ["healthy", "unused"].includes(provider.status) &&
    cacheStatus === "healthy" &&
    doubts.length === 0 &&
    Object.values(extraChecks).every((check) => check.status !== "degraded");
  const status = state.stopping() ? "stopping" : allWell ? "healthy" : "degraded";
  const checks = Object.entries({
    embedding_provider: provider,
    model_cache: { status: cacheStatus, detail: cacheDetail },
    model_files:
      doubts.length === 0
        ? { status: "healthy", detail: "unchanged: they match their manifests or their first load" }
        : { status: "degraded", detail: doubts.join("; ") },
    gpu: gpuCheck(standard?.model?.engine() ?? null, state.providers),
    ...extraChecks,
  });
  return {
    status,
    checks: Object.fromEntries(checks.map(([name, check]) => [name, check.status])),
    details: Object.fromEntries(checks.map(([name, { detail }]) => [name, detail])),
    version: state.version,
  };
}

/** Removes the details, which name models, paths and addresses, for requests without a key, and for tenants, where keys are needed. */
export function withoutDetails(health: HealthReport): HealthReport {
  const names = Object.keys(health.checks);
  return {
    ...health,
    details: Object.fromEntries(names.map((name) => [name, hiddenDetail])),
  };
}
