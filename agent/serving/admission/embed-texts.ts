import type { FoundModel } from "#agent/serving/models/model-manifest.ts";
import { vectorSpaceOf } from "#agent/serving/models/vector-space.ts";
import type { RoutePrice, ServedRequest } from "#agent/serving/ports.ts";
import { refuseUnsuitable, textsOfIds } from "#agent/serving/refusal/refuse-unsuitable.ts";
import { RefusedRequests } from "#agent/serving/refusal/refused-requests.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import { applyPrompt } from "#agent/serving/text/prompt/apply-prompt.ts";
import { ServiceError } from "#platform/errors.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant } from "#protocol/messages.ts";
import { admitRequest } from "./admit-request.ts";
import { AdmittedRequests } from "./admitted-requests.ts";
import { type MissingText, refuseToCut } from "./compute-texts.ts";
import type { Embedder, EmbedRequest, EmbedResult } from "./embedder.ts";
import type { EmbedderParts } from "./embedder-parts.ts";
import { estimateBytes } from "./estimate-request.ts";
import type { Home, HomeLoad, HomeModel } from "./home.ts";
import { createLeases, type Leases } from "./lease-model.ts";
import { createTokenNaming } from "./name-tokens.ts";
import { DeadlinePassed, type RequestDeadline, startDeadline, timeoutMsOf } from "./request-deadline.ts";
import { type CachedText, resultKey } from "./result-cache.ts";

const standbyRetryS = 5;

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
  readonly refused: RefusedRequests;
  readonly #spaces = new WeakMap<FoundModel, string>();
  #inFlight = 0;

  constructor(parts: EmbedderParts) {
    const { cache, limits, weightOf = () => 1 } = parts;
    const admitted = new AdmittedRequests(weightOf);
    this.#parts = parts;
    this.refused = new RefusedRequests(parts);
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
      deadline: startDeadline(request.signal, timeoutMsOf(request, this.#parts.limits)),
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

  #refuseUnlessServing(): void {
    const { role, stopping } = this.#parts;
    if (stopping()) throw new ServiceError("SHUTTING_DOWN", "this agent is stopping", { retryAfterS: 1 });
    if (role.role === "active") return;
    const peers = role.servingPeers().map(({ agentId, url }) => ({ agentId, url }));
    const instead = peers.length === 0 ? "no other serving agent is known" : "ask one of the peers";
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
    refuseUnsuitable(model, request);
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
   * Records a failure, slows down clients that retry at once, and returns the error for the client. Another agent records its own requests
   * and may ask elsewhere at once.
   * @param cause whatever {@link attempt} rejected with
   */
  async recordRefused(request: EmbedRequest, cause: unknown, startedMs: number): Promise<ServiceError> {
    this.#inFlight += 1;
    try {
      return await this.refused.refuse(request, cause, startedMs);
    } finally {
      this.#inFlight -= 1;
    }
  }
}
