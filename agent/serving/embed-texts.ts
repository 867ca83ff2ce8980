import { setImmediate as nextTurn } from "node:timers/promises";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { applyPrompt } from "./apply-prompt.ts";
import { createTextComputer, type MissingText, mostTextsInLine, refuseToCut } from "./compute-texts.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import type { ComputeGate, RoleView, TrafficSink } from "./ports.ts";
import type { ModelLease } from "./residency/model-pool.ts";
import { type CachedText, type ResultCache, resultKey } from "./result-cache.ts";
import type { RequestStatus, ServingMetrics } from "./serving-metrics.ts";
import { refuseUnlessForKind, type TextInput } from "./text-input.ts";
import type { NamedToken } from "./text-tokenizer.ts";

export interface EmbedRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  /** At least one; pairs for a cross-encoder, texts or token ids for other models. */
  readonly inputs: readonly TextInput[];
  /** What the inputs are called in the request, for error messages. */
  readonly inputsField: string;
  /** How many values of each vector are wanted; undefined = all. */
  readonly dimensions: number | undefined;
  /** Whether a text longer than the model reads may be cut (the default) or makes the request invalid. */
  readonly truncate?: boolean | undefined;
  /** How long the client waits for an answer; one that would come later is not computed. Undefined = as configured. */
  readonly latencyBudgetMs?: number | undefined;
  /** Which of the model's prompts is put before each text; undefined = the model's default. */
  readonly promptName?: string | undefined;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface EmbedResult {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  readonly dimension: number;
  /** Of a cross-encoder: which value of a "vector" says that a pair's second text is relevant to its first. */
  readonly relevantLabel: number;
  /** One an input, in order, not normalised; may be shared between inputs. */
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  /** How many inputs were longer than the model reads and were cut. */
  readonly truncatedInputs: number;
  readonly durationMs: number;
}

export interface TokenizeRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  readonly inputs: readonly string[];
  readonly addSpecialTokens: boolean;
}

/** What a face (HTTP, gRPC) asks for vectors. */
export interface Embedder {
  /** @throws ServiceError with what the client is told. */
  embed(request: EmbedRequest): Promise<EmbedResult>;
  /**
   * The tokens of each text, as the model's tokenizer makes them: not cut, and without the model.
   * @throws ServiceError MODEL_NOT_FOUND
   */
  tokenize(request: TokenizeRequest): Promise<NamedToken[][]>;
  /** Requests that are being answered. */
  inFlight(): number;
  /** Texts that wait: for the board's capacity or for a batch. */
  queueDepth(): number;
}

export interface EmbedderParts {
  /** As the pool's `acquire`. */
  readonly acquireModel: (name: string | undefined, signal: () => AbortSignal) => ModelLease | Promise<ModelLease>;
  /** Texts that wait for a batch, of all models. */
  readonly queueDepth: () => number;
  readonly gate: ComputeGate;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: ServingMetrics;
  readonly cache: ResultCache;
  readonly stopping: () => boolean;
  readonly limits: AdmissionLimits & { readonly requestTimeoutMs: number };
  readonly log: Logger;
}

const standbyRetryS = 5;

/** Before a text is tokenised its length is not known; this many are usual. */
const likelyTokens = 16;

const neverAborts = new AbortController().signal;

class ClientGone extends Error {}
class DeadlinePassed extends Error {}

/** How long a request waits: until its deadline, or until its client is gone. */
interface Patience {
  /** Made when it is asked for first: a request that has nothing to wait for needs none. */
  signal(): AbortSignal;
  end(): void;
}

function openPatience(request: Pick<EmbedRequest, "signal">, timeoutMs: number): Patience {
  const startedMs = performance.now();
  let ended: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onGone = () => ended?.abort(new ClientGone());
  return {
    signal() {
      if (ended !== undefined) return ended.signal;
      const controller = new AbortController();
      ended = controller;
      const leftMs = Math.max(0, startedMs + timeoutMs - performance.now());
      timer = setTimeout(() => controller.abort(new DeadlinePassed()), leftMs);
      request.signal.addEventListener("abort", onGone, { once: true });
      if (request.signal.aborted) onGone();
      return controller.signal;
    },
    end() {
      if (ended === undefined) return;
      clearTimeout(timer);
      request.signal.removeEventListener("abort", onGone);
    },
  };
}

function statusOf(error: ServiceError): RequestStatus {
  switch (error.code) {
    case "TOO_MANY_REQUESTS":
    case "AGENT_STANDBY":
    case "SHUTTING_DOWN":
      return "rejected";
    case "INVALID_REQUEST":
    case "MODEL_NOT_FOUND":
      return "invalid";
    default:
      return "error";
  }
}

/** The one way from texts to vectors, whatever face the request came by: admission, tokens, capacity, batch, record. */
export function createEmbedder(parts: EmbedderParts): Embedder {
  const { gate, sink, role, metrics, cache, limits, log } = parts;
  let inFlight = 0;
  /** Requests that wait for the model, and how many of their texts are in the line. */
  let admittedRequests = 0;
  let admittedTexts = 0;
  let waitingForModel = 0;
  const computer = createTextComputer(gate, cache);

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

  const refuseUnlessAdmitted = ({ queue }: EmbeddingModel, request: EmbedRequest, texts: number) => {
    const decision = decideAdmission(
      { texts, latencyBudgetMs: request.latencyBudgetMs ?? null },
      {
        admittedTexts,
        admittedRequests,
        waitingTokens: queue.waitingTokens(),
        expectedMs: queue.expectedMs(texts * likelyTokens),
        drainMs: queue.drainMs(),
      },
      limits,
    );
    if (decision.kind === "admit") return;
    if (decision.kind === "too-large") throw new ServiceError("PAYLOAD_TOO_LARGE", decision.reason);
    throw new ServiceError("TOO_MANY_REQUESTS", decision.reason, { retryAfterS: decision.retryAfterS });
  };

  const computeInLine = async (
    model: EmbeddingModel,
    request: EmbedRequest,
    missing: readonly MissingText[],
    signal: AbortSignal,
  ) => {
    const textsInLine = Math.min(missing.length, mostTextsInLine);
    admittedTexts += textsInLine;
    admittedRequests += 1;
    try {
      return await computer.compute(model, missing, request, signal);
    } catch (error) {
      // Whatever a wait was rejected with once it had ended.
      throw signal.aborted && !(error instanceof ServiceError) ? signal.reason : error;
    } finally {
      admittedTexts -= textsInLine;
      admittedRequests -= 1;
    }
  };

  /** The model, when it has a process; its memory may have to be waited for, but not by any number of requests. */
  const modelFor = async (request: Pick<EmbedRequest, "model">, patience: Patience): Promise<ModelLease> => {
    const lease = parts.acquireModel(request.model, patience.signal);
    if (!(lease instanceof Promise)) return lease;
    waitingForModel += 1;
    try {
      if (waitingForModel > limits.queueRequests) {
        void lease.then(
          ({ release }) => release(),
          () => {},
        );
        throw new ServiceError("TOO_MANY_REQUESTS", `${limits.queueRequests} requests wait for a model to be loaded`, {
          retryAfterS: 1,
        });
      }
      return await lease;
    } finally {
      waitingForModel -= 1;
    }
  };

  /** What a failure is to the client: a deadline, a client that is gone, or what it was. */
  const explain = (error: unknown, request: EmbedRequest): ServiceError | "cancelled" => {
    if (error instanceof ServiceError) return error;
    if (error instanceof ClientGone) return "cancelled";
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
    const patience = openPatience(request, timeoutOf(request));
    let modelId = "unknown";
    let lease: ModelLease | undefined;
    inFlight += 1;
    try {
      refuseUnlessServing();
      lease = await modelFor(request, patience);
      const { model } = lease;
      const { manifest } = model.found;
      modelId = manifest.id;
      refuseUnlessForKind(manifest, request.inputs);
      refuseMoreDimensions(model, request);
      const inputs = applyPrompt(manifest, request.promptName, request.inputs);
      const missing: MissingText[] = [];
      const texts: (CachedText | undefined)[] = inputs.map((input, index) => {
        const key = resultKey(manifest, input);
        const text = cache.get(key);
        if (text === undefined) missing.push({ index, input, key });
        else if (text.truncated && request.truncate === false) refuseToCut(model, request.inputsField, index);
        return text;
      });
      metrics.recordResultLookup(inputs.length - missing.length, missing.length);
      if (missing.length > 0) refuseUnlessAdmitted(model, request, Math.min(missing.length, mostTextsInLine));
      trace?.stage("admission", startedMs, performance.now(), {
        "thormesh.cached_texts": inputs.length - missing.length,
      });
      let computeMs = 0;
      if (missing.length > 0) {
        for (const computed of await computeInLine(model, request, missing, patience.signal())) {
          texts[computed.index] = computed.text;
          computeMs += computed.computeMs;
        }
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
      sink.recordServed({ model: modelId, texts: inputs.length, tokens, latencyMs: durationMs, computeMs });
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
      throw error === "cancelled" ? new ServiceError("INVALID_REQUEST", "the client closed the connection") : error;
    } finally {
      inFlight -= 1;
      lease?.release();
      patience.end();
    }
  };

  return {
    embed,
    async tokenize({ model: name, inputs, addSpecialTokens }) {
      const patience = openPatience({ signal: neverAborts }, limits.requestTimeoutMs);
      let lease: ModelLease | undefined;
      try {
        lease = await modelFor({ model: name }, patience);
        const tokens: NamedToken[][] = [];
        for (const input of inputs) {
          tokens.push(lease.model.tokenizer.name(input, { addSpecialTokens }));
          await nextTurn();
        }
        return tokens;
      } catch (error) {
        if (!(error instanceof DeadlinePassed)) throw error;
        throw new ServiceError("DEADLINE_EXCEEDED", `no answer within ${limits.requestTimeoutMs} ms`, {
          retryAfterS: 1,
        });
      } finally {
        lease?.release();
        patience.end();
      }
    },
    inFlight: () => inFlight,
    queueDepth: () => computer.textsAtGate() + parts.queueDepth(),
  };
}
