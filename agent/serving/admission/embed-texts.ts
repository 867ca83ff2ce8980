import { createRefusalPace } from "#agent/serving/batching/refusal-pace.ts";
import type { RoleView, TrafficSink } from "#agent/serving/ports.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import type { RequestStatus, ServingMetrics } from "#agent/serving/serving-metrics.ts";
import { applyPrompt } from "#agent/serving/text/apply-prompt.ts";
import { refuseUnlessForKind } from "#agent/serving/text/text-input.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";
import { createAdmittedRequests } from "./admitted-requests.ts";
import { createTextComputer, type MissingText, refuseToCut } from "./compute-texts.ts";
import type { AdmissionLimits } from "./decide-admission.ts";
import type { Embedder, EmbedRequest, EmbedResult } from "./embedder.ts";
import { createHeldRequests } from "./held-requests.ts";
import { type AcquireModel, createLeases } from "./lease-model.ts";
import { createTokenNaming, type NamingLimits } from "./name-tokens.ts";
import { requestBytes } from "./request-bytes.ts";
import { ClientGone, DeadlinePassed, openPatience } from "./request-patience.ts";
import { type CachedText, type ResultCache, resultKey } from "./result-cache.ts";

export interface EmbedderParts {
  readonly acquireModel: AcquireModel;
  /** Texts that wait for a batch, of all models. */
  readonly queueDepth: () => number;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: ServingMetrics;
  readonly cache: ResultCache;
  readonly stopping: () => boolean;
  readonly limits: AdmissionLimits & NamingLimits;
  /** A tenant's weight; default: all are alike. */
  readonly weightOf?: (tenant: string) => number;
  readonly log: Logger;
}

const standbyRetryS = 5;

function statusOf(error: ServiceError): RequestStatus {
  switch (error.code) {
    case "TOO_MANY_REQUESTS":
    case "AGENT_STANDBY":
    case "SHUTTING_DOWN":
      return "rejected";
    case "INVALID_REQUEST":
    case "PAYLOAD_TOO_LARGE":
    case "MODEL_NOT_FOUND":
      return "invalid";
    default:
      return "error";
  }
}

/** The one way from texts to vectors, whatever face the request came by: admission, tokens, capacity, batch, record. */
export function createEmbedder(parts: EmbedderParts): Embedder {
  const { sink, role, metrics, cache, limits, log } = parts;
  let inFlight = 0;
  const held = createHeldRequests(parts.weightOf ?? (() => 1));
  const leases = createLeases(parts.acquireModel, held, limits);
  const computer = createTextComputer(cache);
  const admitted = createAdmittedRequests(computer, held, limits);
  const refusals = createRefusalPace(() => performance.now());

  const refuseUnlessServing = () => {
    if (parts.stopping()) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    if (role.role === "active") return;
    const peers = role.servingPeers().map(({ agentId, url }) => ({ agentId, url }));
    const instead = peers.length === 0 ? "no other agent is known to serve" : "ask one of the peers";
    throw new ServiceError("AGENT_STANDBY", `this agent is ${role.role}: ${instead}`, {
      retryAfterS: standbyRetryS,
      details: { peers },
    });
  };

  const refuseMoreDimensions = ({ found }: EmbeddingModel, { dimensions }: EmbedRequest) => {
    const { id, dimension } = found.manifest;
    if (dimensions === undefined || dimensions <= dimension) return;
    throw new ServiceError("INVALID_REQUEST", `dimensions: expected 1 to ${dimension} for ${id}, got ${dimensions}`, {
      details: { param: "dimensions" },
    });
  };

  const timeoutOf = ({ latencyBudgetMs }: EmbedRequest) =>
    Math.min(limits.requestTimeoutMs, latencyBudgetMs ?? Number.POSITIVE_INFINITY);

  /** What a failure is to the client: a deadline, a client that is gone, or what it was. */
  const explain = (error: unknown, request: EmbedRequest): ServiceError | "cancelled" => {
    if (error instanceof ServiceError) return error;
    if (error instanceof ClientGone) {
      // While stopping it is this side that closes the connections that are left.
      return parts.stopping() ? new ServiceError("SHUTTING_DOWN", "this agent has stopped") : "cancelled";
    }
    if (error instanceof DeadlinePassed) {
      return new ServiceError("DEADLINE_EXCEEDED", `no answer within ${timeoutOf(request)} ms`, {
        retryAfterS: 1,
      });
    }
    log.error({ err: error, inputs: request.inputs.length }, "embedding failed");
    return new ServiceError("INTERNAL", "the model could not compute these texts", { cause: error });
  };

  const embed = async (request: EmbedRequest): Promise<EmbedResult> => {
    const startedMs = performance.now();
    const trace = currentTrace();
    const patience = openPatience(request.signal, timeoutOf(request));
    const { tenant = defaultTenant } = request;
    let modelId = "unknown";
    let lease: ModelLease | undefined;
    inFlight += 1;
    try {
      refuseUnlessServing();
      lease = await leases.take(request.model, patience, () => ({ tenant, bytes: requestBytes(request.inputs, 0) }));
      const { model } = lease;
      const { manifest } = model.found;
      modelId = manifest.id;
      refuseUnlessForKind(manifest, request.inputs);
      refuseMoreDimensions(model, request);
      const inputs = applyPrompt(manifest, request.promptName, request.inputs);
      const version = model.version();
      const missing: MissingText[] = [];
      const texts: (CachedText | undefined)[] = inputs.map((input, index) => {
        const key = resultKey(version, input);
        const text = cache.get(tenant, key);
        if (text === undefined) missing.push({ index, input, key });
        else if (text.truncated && request.truncate === false) refuseToCut(model, request.inputsField, index);
        return text;
      });
      metrics.recordResultLookup(inputs.length - missing.length, missing.length);
      const admission = missing.length > 0 ? admitted.admit(model, request, missing, patience) : null;
      trace?.stage("admission", startedMs, performance.now(), {
        "thormesh.cached_texts": inputs.length - missing.length,
      });
      let computeMs = 0;
      if (admission !== null) {
        for (const computed of await admission.compute()) {
          texts[computed.index] = computed.text;
          computeMs += computed.computeMs;
        }
        // The timer that ends a wait may come late itself.
        if (performance.now() > patience.deadlineMs) throw new DeadlinePassed();
      }
      const vectors: Float32Array[] = [];
      let tokens = 0;
      let truncatedInputs = 0;
      for (const text of texts as CachedText[]) {
        vectors.push(text.vector);
        tokens += text.tokens;
        if (text.truncated) truncatedInputs += 1;
      }
      const finishedMs = performance.now();
      const durationMs = finishedMs - startedMs;
      sink.recordServed({ model: modelId, tenant, texts: inputs.length, tokens, latencyMs: durationMs, computeMs });
      metrics.recordRequest(modelId, "ok", durationMs);
      metrics.recordTokens(modelId, tokens, truncatedInputs);
      trace?.annotate({
        "gen_ai.operation.name": "embeddings",
        "gen_ai.response.model": modelId,
        "gen_ai.usage.input_tokens": tokens,
        "thormesh.texts": inputs.length,
      });
      trace?.answered(finishedMs);
      model.recent.record(durationMs, missing.length, finishedMs);
      return {
        model: modelId,
        dimension: manifest.dimension,
        relevantLabel: manifest.relevantLabel,
        vectors,
        tokens,
        truncatedInputs,
        durationMs,
      };
    } catch (cause) {
      const error = explain(cause, request);
      const status = error === "cancelled" ? "cancelled" : statusOf(error);
      if (status === "rejected") sink.recordRejected();
      if (status === "error") sink.recordError();
      metrics.recordRequest(modelId, status, performance.now() - startedMs);
      trace?.annotate({ "error.type": error === "cancelled" ? error : error.code });
      lease?.release();
      if (error !== "cancelled" && error.code === "TOO_MANY_REQUESTS") {
        const { latencyBudgetMs, signal } = request;
        await refusals.pause(tenant, { bytes: requestBytes(request.inputs, 0), latencyBudgetMs, signal });
      }
      throw error === "cancelled" ? new ServiceError("INVALID_REQUEST", "the client closed the connection") : error;
    } finally {
      inFlight -= 1;
      lease?.release();
      patience.end();
    }
  };

  return {
    embed,
    tokenize: createTokenNaming(leases, limits, parts.stopping),
    inFlight: () => inFlight,
    queueDepth: parts.queueDepth,
  };
}
