import { createRefusalPace } from "#agent/serving/batching/refusal-pace.ts";
import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { vectorSpaceOf } from "#agent/serving/models/vector-space.ts";
import type { RoleView, RoutePrice, ServedRequest, TrafficSink } from "#agent/serving/ports.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import type { RequestStatus, ServingMetrics } from "#agent/serving/serving-metrics.ts";
import type { TokenIdsSetting } from "#agent/serving/text/decide-token-ids.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";
import { isPair, refuseUnlessForKind, type TextInput } from "#agent/serving/text/text-input.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant, type RefusalCause } from "#protocol/messages.ts";
import { admitRequest } from "./admit-request.ts";
import { AdmittedRequests } from "./admitted-requests.ts";
import { type MissingText, refuseToCut } from "./compute-texts.ts";
import type { AdmissionLimits } from "./decide-admission.ts";
import type { Embedder, EmbedRequest, EmbedResult } from "./embedder.ts";
import { estimateBytes, estimateTokens } from "./estimate-request.ts";
import type { Home, HomeLoad, HomeModel } from "./home.ts";
import { type AcquireModel, createLeases, type Leases } from "./lease-model.ts";
import { createTokenNaming, type NamingLimits } from "./name-tokens.ts";
import { ClientDisconnected, DeadlinePassed, type RequestDeadline, startDeadline } from "./request-deadline.ts";
import { type CachedText, type ResultCache, resultKey } from "./result-cache.ts";

export interface EmbedderParts {
  readonly acquireModel: AcquireModel;
  /** Finds a model by id or alias, the default one without a name; null where there is none. */
  readonly findModel: (name: string | undefined) => EmbeddingModel["found"] | null;
  /** Returns a loaded model by its id; null where it is not loaded. */
  readonly loadedModel: (id: string) => Pick<EmbeddingModel, "queue"> | null;
  /** Texts of all models that wait for a batch. */
  readonly queueDepth: () => number;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: ServingMetrics;
  readonly cache: ResultCache;
  readonly stopping: () => boolean;
  readonly limits: AdmissionLimits & NamingLimits & Pick<InputRules, "emptyTexts">;
  /** Returns how a model's clients mean token ids. Default: marked. */
  readonly tokenIdsOf?: (manifest: FoundModel["manifest"]) => TokenIdsSetting;
  /** A tenant's weight; default: 1 for all. */
  readonly weightOf?: (tenant: string) => number;
  readonly log: Logger;
}

const standbyRetryS = 5;

/** A client that disconnects after waiting for so long had a deadline of its own; before that, it changed its mind. */
const ownDeadlineMs = 1_000;

/** Cause of a refusal; null where the request itself is at fault. */
function causeOf(error: ServiceError): RefusalCause | null {
  switch (error.code) {
    case "TOO_MANY_REQUESTS":
      return "queue";
    case "RATE_LIMITED":
      return "rate-limit";
    case "AGENT_STANDBY":
    case "SHUTTING_DOWN":
      return "standby";
    case "DEADLINE_EXCEEDED":
      return "deadline";
    case "INVALID_REQUEST":
    case "PAYLOAD_TOO_LARGE":
    case "MODEL_NOT_FOUND":
    case "UNSUPPORTED_BY_MODEL":
      return null;
    default:
      return "error";
  }
}

function statusOf(cause: RefusalCause | null): RequestStatus {
  if (cause === null) return "invalid";
  return cause === "error" || cause === "deadline" ? "error" : "rejected";
}

function refuseMoreDimensions({ found }: EmbeddingModel, { dimensions }: EmbedRequest): void {
  const { id, dimension } = found.manifest;
  if (dimensions === undefined || dimensions <= dimension) return;
  throw new ServiceError("INVALID_REQUEST", `dimensions: expected 1 to ${dimension} for ${id}, got ${dimensions}`, {
    details: { param: "dimensions" },
  });
}

function refuseFewerTokens({ found, tokenizer }: EmbeddingModel, { tokenLimits = [] }: EmbedRequest): void {
  const { id } = found.manifest;
  const { maxTokens } = tokenizer.idMarks;
  const below = tokenLimits.find(({ tokens }) => tokens < maxTokens);
  if (below === undefined) return;
  const { field, tokens } = below;
  throw new ServiceError(
    "INVALID_REQUEST",
    `${field}: expected at least ${maxTokens}, the tokens that ${id} reads, got ${tokens}`,
    { details: { param: field } },
  );
}

/**
 * Returns a request's inputs with texts in place of token ids, where the model's ids are read so.
 * @throws ServiceError INVALID_REQUEST naming the list that is of another vocabulary
 */
function textsOfIds({ decodeIds }: Pick<EmbeddingModel, "decodeIds">, { inputs, inputsField }: EmbedRequest) {
  if (decodeIds === null) return inputs;
  return inputs.map((input, index): TextInput => {
    if (typeof input === "string" || isPair(input)) return input;
    const text = decodeIds(input);
    if (text !== null) return text;
    const message = `${inputsField}.${index}: expected ids of text in cl100k_base, as serving.tokenIds says, got others`;
    throw new ServiceError("INVALID_REQUEST", message, { details: { param: inputsField } });
  });
}

/** A model whose process is still being started may have none: its batch fails then. */
function refuseWithoutTokenVectors({ found, runner }: EmbeddingModel, { everyToken = false }: EmbedRequest): void {
  if (!everyToken || runner.process?.tokenVectors !== false) return;
  const message = `model: expected one with an output of token vectors, got ${found.manifest.id}, whose file has none`;
  throw new ServiceError("UNSUPPORTED_BY_MODEL", message, { details: { param: "model" } });
}

/** A request in progress. */
interface Progress {
  readonly request: EmbedRequest;
  readonly tenant: string;
  readonly startedMs: number;
  readonly deadline: RequestDeadline;
  lease: ModelLease | undefined;
}

/** The one way from texts to vectors, for all APIs: lease, cache, admission, computation, record. */
export class TextEmbedder implements Home {
  readonly tokenize: Embedder["tokenize"];
  readonly #parts: EmbedderParts;
  readonly #admission: Parameters<typeof admitRequest>[0];
  readonly #leases: Leases;
  readonly #refusals = createRefusalPace(() => performance.now());
  readonly #spaces = new WeakMap<FoundModel, string>();
  #inFlight = 0;

  constructor(parts: EmbedderParts) {
    const { cache, limits, weightOf = () => 1 } = parts;
    const admitted = new AdmittedRequests(weightOf);
    this.#parts = parts;
    this.#admission = { admitted, limits, cache };
    this.#leases = createLeases(parts.acquireModel, admitted, limits);
    this.tokenize = createTokenNaming(this.#leases, limits, parts.stopping);
  }

  embed(request: EmbedRequest): Promise<EmbedResult> {
    const startedMs = performance.now();
    const refuse = async (error: unknown): Promise<never> => {
      throw await this.recordRefused(request, error, startedMs);
    };
    try {
      const answer = this.#attempt(request);
      return answer instanceof Promise ? answer.catch(refuse) : Promise.resolve(answer);
    } catch (error) {
      return refuse(error);
    }
  }

  model(name: string | undefined): HomeModel | null {
    const found = this.#parts.findModel(name);
    if (found === null) return null;
    const { id, maxTokens, dimension } = found.manifest;
    let space = this.#spaces.get(found);
    if (space === undefined) {
      space = vectorSpaceOf(found);
      this.#spaces.set(found, space);
    }
    return {
      id,
      maxTokens,
      dimension,
      space,
      prompts: found.manifest,
      tokenIds: this.#parts.tokenIdsOf?.(found.manifest) ?? "marked",
    };
  }

  load({ id }: HomeModel, { tenant = defaultTenant }: Pick<EmbedRequest, "tenant">, tokens: number): HomeLoad | null {
    const { role, stopping, loadedModel } = this.#parts;
    if (stopping() || role.role !== "active") return null;
    const queue = loadedModel(id)?.queue;
    // A model that is not loaded is loaded when it is asked for.
    if (queue === undefined) return { expectedMs: null, inFlight: 0, queued: 0 };
    const waitMs = queue.openRequests() === 0 ? 0 : queue.expectedWaitMs(tenant, tokens);
    const computeMs = queue.computeMs(tokens);
    const expectedMs = waitMs === null || computeMs === null ? null : waitMs + computeMs;
    return { expectedMs, inFlight: queue.openRequests(), queued: queue.depth() };
  }

  recordElsewhere(
    { tenant = defaultTenant, inputs, model }: EmbedRequest,
    result: EmbedResult,
    startedMs: number,
    route: RoutePrice,
  ): void {
    const { sink, metrics } = this.#parts;
    const latencyMs = performance.now() - startedMs;
    const texts = inputs.length;
    const nothing = { computeMs: 0, cachedTexts: 0, queueMs: 0 };
    // By its id here, so that the demand for a model has one name, whatever an offer calls it.
    const id = this.#parts.findModel(model)?.manifest.id ?? result.model;
    const { tokens } = result;
    sink.recordServed({ model: id, tenant, texts, tokens, latencyMs, ...nothing, sentTexts: texts, route });
    metrics.recordRequest(id, "success", latencyMs);
    metrics.recordTokens(id, result.tokens, result.truncatedInputs);
  }

  /** Answers without recording a refusal. Rejects with whatever ended it; {@link recordRefused} makes the client's error of that. */
  async attempt(request: EmbedRequest): Promise<EmbedResult> {
    return this.#attempt(request);
  }

  /** Returns the answer, where it is in the cache and its model is loaded; else a promise of it. */
  #attempt(request: EmbedRequest): EmbedResult | Promise<EmbedResult> {
    const progress: Progress = {
      request,
      tenant: request.tenant ?? defaultTenant,
      startedMs: performance.now(),
      deadline: startDeadline(request.signal, this.#timeoutMsOf(request)),
      lease: undefined,
    };
    this.#inFlight += 1;
    let answer: EmbedResult | Promise<EmbedResult> | undefined;
    try {
      answer = this.#begin(progress);
      return answer instanceof Promise ? answer.finally(() => this.#end(progress)) : answer;
    } finally {
      if (!(answer instanceof Promise)) this.#end(progress);
    }
  }

  #end({ lease, deadline }: Progress): void {
    this.#inFlight -= 1;
    lease?.release();
    deadline.end();
  }

  inFlight(): number {
    return this.#inFlight;
  }

  queueDepth(): number {
    return this.#parts.queueDepth();
  }

  #timeoutMsOf({ latencyBudgetMs }: EmbedRequest): number {
    return Math.min(this.#parts.limits.requestTimeoutMs, latencyBudgetMs ?? Number.POSITIVE_INFINITY);
  }

  #refuseUnlessServing(): void {
    const { role, stopping } = this.#parts;
    if (stopping()) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    if (role.role === "active") return;
    const peers = role.servingPeers().map(({ agentId, url }) => ({ agentId, url }));
    const instead = peers.length === 0 ? "no other agent is known to serve" : "ask one of the peers";
    throw new ServiceError("AGENT_STANDBY", `this agent is ${role.role}: ${instead}`, {
      retryAfterS: standbyRetryS,
      details: { peers },
    });
  }

  #begin(progress: Progress): EmbedResult | Promise<EmbedResult> {
    const { request, tenant, deadline } = progress;
    this.#refuseUnlessServing();
    const leased = this.#leases.acquire(request.model, deadline, () => ({
      tenant,
      bytes: estimateBytes(request.inputs, 0),
    }));
    return leased instanceof Promise
      ? leased.then((lease) => this.#answer(progress, lease))
      : this.#answer(progress, leased);
  }

  #answer(progress: Progress, lease: ModelLease): EmbedResult | Promise<EmbedResult> {
    const { request, tenant, deadline } = progress;
    progress.lease = lease;
    const { model } = lease;
    const { manifest } = model.found;
    refuseUnlessForKind(manifest, request);
    refuseMoreDimensions(model, request);
    refuseFewerTokens(model, request);
    refuseWithoutTokenVectors(model, request);
    const { texts, missing, prompt } = this.#lookUp(model, request, tenant);
    const compute = missing.length > 0 ? admitRequest(this.#admission, model, request, missing, deadline) : undefined;
    currentTrace()?.stage("admission", progress.startedMs, performance.now(), {
      "thormesh.cached_texts": texts.length - missing.length,
    });
    const cachedTexts = texts.length - missing.length;
    const answerWith = (figures: Pick<ServedRequest, "computeMs" | "queueMs">): EmbedResult => {
      const result = this.#record(progress, model, texts as CachedText[], { ...figures, cachedTexts });
      return prompt === undefined ? result : { ...result, prompt };
    };
    if (compute === undefined) return answerWith({ computeMs: 0, queueMs: 0 });
    return compute().then((computed) => {
      let computeMs = 0;
      let queueMs = Number.POSITIVE_INFINITY;
      for (const each of computed) {
        texts[each.index] = each.text;
        computeMs += each.computeMs;
        queueMs = Math.min(queueMs, each.waitMs);
      }
      // The deadline's timer may fire late.
      if (performance.now() > deadline.atMs) throw new DeadlinePassed();
      return answerWith({ computeMs, queueMs });
    });
  }

  /** Looks for the texts in the cache. @returns the cached ones in their places, and those to compute. */
  #lookUp(model: EmbeddingModel, request: EmbedRequest, tenant: string) {
    const { cache, metrics } = this.#parts;
    const { inputs, prompt } = applyPrompt(model.found.manifest, request, textsOfIds(model, request));
    const version = model.version();
    const missing: MissingText[] = [];
    const texts: (CachedText | undefined)[] = inputs.map((input, index) => {
      const key = resultKey(version, input, request);
      const text = cache.get(tenant, key);
      if (text === undefined) missing.push({ index, input, key });
      else if (text.truncated && request.truncate === false) refuseToCut(model, request.inputsField, index);
      return text;
    });
    metrics.recordResultLookup(texts.length - missing.length, missing.length);
    return { texts, missing, prompt };
  }

  /** Makes the answer, and records it. */
  #record(
    { request, startedMs, tenant }: Progress,
    model: EmbeddingModel,
    texts: readonly CachedText[],
    figures: Pick<ServedRequest, "computeMs" | "queueMs" | "cachedTexts">,
  ): EmbedResult {
    const { sink, metrics } = this.#parts;
    const { id: modelId, dimension, relevantLabel } = model.found.manifest;
    const vectors: Float32Array[] = [];
    let tokens = 0;
    let truncatedInputs = 0;
    for (const text of texts) {
      vectors.push(text.vector);
      tokens += text.tokens;
      if (text.truncated) truncatedInputs += 1;
    }
    const finishedMs = performance.now();
    const durationMs = finishedMs - startedMs;
    const served = { model: modelId, tenant, texts: texts.length, tokens, latencyMs: durationMs, ...figures };
    if (request.forPeer === true) sink.recordWork(served);
    else sink.recordServed(served);
    metrics.recordRequest(modelId, "success", durationMs);
    metrics.recordTokens(modelId, tokens, truncatedInputs);
    const trace = currentTrace();
    trace?.annotate({
      "gen_ai.operation.name": "embeddings",
      "gen_ai.response.model": modelId,
      "gen_ai.usage.input_tokens": tokens,
      "thormesh.texts": texts.length,
    });
    trace?.answered(finishedMs);
    model.recent.record(durationMs, finishedMs);
    return {
      model: modelId,
      dimension,
      relevantLabel,
      vectors,
      tokens,
      truncatedInputs,
      durationMs,
      cachedTexts: figures.cachedTexts,
    };
  }

  /**
   * Records a failure, slows down clients that retry at once, and returns what the client is told. Another agent's request is its own to record,
   * and to ask elsewhere for at once.
   * @param cause whatever {@link attempt} rejected with
   */
  async recordRefused(request: EmbedRequest, cause: unknown, startedMs: number): Promise<ServiceError> {
    this.#inFlight += 1;
    try {
      return await this.#refuse(request, cause, startedMs);
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #refuse(request: EmbedRequest, cause: unknown, startedMs: number): Promise<ServiceError> {
    const { metrics, findModel } = this.#parts;
    const tenant = request.tenant ?? defaultTenant;
    const modelId = findModel(request.model)?.manifest.id ?? "unknown";
    const error = this.#explain(cause, request);
    const waitedMs = performance.now() - startedMs;
    const gaveUp = waitedMs >= ownDeadlineMs ? "deadline" : null;
    const refusal = error === "cancelled" ? gaveUp : causeOf(error);
    if (refusal !== null && request.forPeer !== true) this.#countRefused(request, tenant, refusal);
    metrics.recordRequest(modelId, error === "cancelled" ? error : statusOf(refusal), waitedMs);
    currentTrace()?.annotate({ "error.type": error === "cancelled" ? error : error.code });
    if (error === "cancelled") return new ServiceError("INVALID_REQUEST", "the client closed the connection");
    if (["TOO_MANY_REQUESTS", "RATE_LIMITED"].includes(error.code) && request.forPeer !== true) {
      const { latencyBudgetMs, signal } = request;
      await this.#refusals.pause(tenant, { bytes: estimateBytes(request.inputs, 0), latencyBudgetMs, signal });
    }
    return error;
  }

  #countRefused({ model: name, inputs }: EmbedRequest, tenant: string, cause: RefusalCause): void {
    const { findModel, sink, metrics } = this.#parts;
    // A model that does not exist needs no capacity.
    const manifest = findModel(name)?.manifest;
    if (manifest === undefined) return;
    const { id: model, maxTokens } = manifest;
    const tokens = inputs.reduce((sum, input) => sum + estimateTokens(input, maxTokens), 0);
    sink.recordRefused({ model, tenant, texts: inputs.length, tokens, cause });
    metrics.recordRefusal(model, cause);
  }

  /** Translates a failure into the client's error; "cancelled" where the client has disconnected. */
  #explain(error: unknown, request: EmbedRequest): ServiceError | "cancelled" {
    if (error instanceof ServiceError) return error;
    if (error instanceof ClientDisconnected) {
      // When stopping, this side closes the remaining connections.
      return this.#parts.stopping() ? new ServiceError("SHUTTING_DOWN", "this agent has stopped") : "cancelled";
    }
    if (error instanceof DeadlinePassed) {
      return new ServiceError("DEADLINE_EXCEEDED", `no answer within ${this.#timeoutMsOf(request)} ms`, {
        retryAfterS: 1,
      });
    }
    this.#parts.log.error({ err: error, inputs: request.inputs.length }, "embedding failed");
    return new ServiceError("INTERNAL", "the model could not compute these texts", { cause: error });
  }
}
