import { setImmediate as nextTurn } from "node:timers/promises";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import type { ComputeGate, RoleView, TrafficSink } from "./ports.ts";
import type { RequestStatus, ServingMetrics } from "./serving-metrics.ts";
import type { TokenizedText } from "./text-tokenizer.ts";

export interface EmbedRequest {
  /** Id or alias; undefined = the default model. */
  readonly model: string | undefined;
  /** At least one; each a text or token ids. */
  readonly inputs: readonly (string | readonly number[])[];
  /** What the inputs are called in the request, for error messages. */
  readonly inputsField: string;
  /** How many values of each vector are wanted; undefined = all. */
  readonly dimensions: number | undefined;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

export interface EmbedResult {
  /** The model's id, also when an alias was asked for. */
  readonly model: string;
  readonly dimension: number;
  /** One an input, in order, not normalised; may be shared between inputs. */
  readonly vectors: readonly Float32Array[];
  readonly tokens: number;
  /** How many inputs were longer than the model reads and were cut. */
  readonly truncatedInputs: number;
  readonly durationMs: number;
}

/** What a face (HTTP, gRPC) asks for vectors. */
export interface Embedder {
  /** @throws ServiceError with what the client is told. */
  embed(request: EmbedRequest): Promise<EmbedResult>;
  /** Requests that are being answered. */
  inFlight(): number;
  /** Texts that wait: for the board's capacity or for a batch. */
  queueDepth(): number;
}

export interface EmbedderParts {
  readonly findModel: (name: string | undefined) => EmbeddingModel | null;
  readonly modelNames: () => readonly string[];
  readonly gate: ComputeGate;
  readonly sink: TrafficSink;
  readonly role: RoleView;
  readonly metrics: ServingMetrics;
  readonly stopping: () => boolean;
  readonly limits: { readonly queueTexts: number; readonly requestTimeoutMs: number };
  readonly log: Logger;
}

/** Tokenising many long texts takes turns with everything else this process does. */
const longestTurnMs = 4;
const standbyRetryS = 5;

async function tokenizeAll(
  model: EmbeddingModel,
  inputs: EmbedRequest["inputs"],
  field: string,
): Promise<TokenizedText[]> {
  const texts: TokenizedText[] = [];
  let turnStartedMs = performance.now();
  for (const [index, input] of inputs.entries()) {
    const text = typeof input === "string" ? model.tokenizer.tokenize(input) : model.tokenizer.acceptTokenIds(input);
    if (text === null) {
      throw new ServiceError(
        "INVALID_REQUEST",
        `${field}.${index}: expected token ids of ${model.found.manifest.id}'s vocabulary, got others`,
        { details: { param: field } },
      );
    }
    texts.push(text);
    if (performance.now() - turnStartedMs < longestTurnMs) continue;
    await nextTurn();
    turnStartedMs = performance.now();
  }
  return texts;
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
  const { gate, sink, role, metrics, limits, log } = parts;
  let inFlight = 0;
  /** Texts of admitted requests that are not yet answered. */
  let admittedTexts = 0;
  let textsAtGate = 0;

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

  const modelFor = ({ model: name, dimensions }: EmbedRequest): EmbeddingModel => {
    const model = parts.findModel(name);
    if (model !== null) {
      const { id, dimension } = model.found.manifest;
      if (dimensions === undefined || dimensions <= dimension) return model;
      throw new ServiceError("INVALID_REQUEST", `dimensions: expected 1 to ${dimension} for ${id}, got ${dimensions}`, {
        details: { param: "dimensions" },
      });
    }
    throw new ServiceError(
      "MODEL_NOT_FOUND",
      `model: expected one of ${parts.modelNames().join(", ")}, got "${name}"`,
      {
        details: { param: "model" },
      },
    );
  };

  const admit = (model: EmbeddingModel, texts: number) => {
    if (admittedTexts + texts <= limits.queueTexts) return;
    const { throughputQps } = model.recent.summary(performance.now());
    throw new ServiceError("TOO_MANY_REQUESTS", `${admittedTexts} texts wait already; ${limits.queueTexts} may`, {
      retryAfterS: Math.min(30, Math.max(1, admittedTexts / Math.max(1, throughputQps))),
    });
  };

  const compute = async (model: EmbeddingModel, request: EmbedRequest, signal: AbortSignal) => {
    const texts = await tokenizeAll(model, request.inputs, request.inputsField);
    textsAtGate += texts.length;
    try {
      await gate.enter(texts.length, signal);
    } finally {
      textsAtGate -= texts.length;
    }
    const results = await Promise.all(texts.map(({ ids }) => model.queue.embed(ids, signal)));
    return { texts, results };
  };

  /** What a failure is to the client: a deadline, a client that is gone, or what it was. */
  const explain = (error: unknown, request: EmbedRequest, deadline: AbortSignal): ServiceError | "cancelled" => {
    if (error instanceof ServiceError) return error;
    if (request.signal.aborted) return "cancelled";
    if (deadline.aborted) {
      return new ServiceError("DEADLINE_EXCEEDED", `no answer within ${limits.requestTimeoutMs} ms`, {
        retryAfterS: 1,
      });
    }
    log.error({ err: error, inputs: request.inputs.length }, "embedding failed");
    return new ServiceError("INTERNAL", "the model could not compute these texts", { cause: error });
  };

  const embed = async (request: EmbedRequest): Promise<EmbedResult> => {
    const startedMs = performance.now();
    const { inputs } = request;
    const deadline = new AbortController();
    let modelId = "unknown";
    let admitted = 0;
    let timer: Timer | undefined;
    const onGone = () => deadline.abort(new Error("the client is gone"));
    inFlight += 1;
    try {
      refuseUnlessServing();
      const model = modelFor(request);
      modelId = model.found.manifest.id;
      metrics.recordModelLookup(model.runner.state === "loaded");
      admit(model, inputs.length);
      admitted = inputs.length;
      admittedTexts += admitted;
      timer = setTimeout(() => deadline.abort(new Error("deadline")), limits.requestTimeoutMs);
      request.signal.addEventListener("abort", onGone, { once: true });
      if (request.signal.aborted) onGone();
      const { texts, results } = await compute(model, request, deadline.signal);
      const tokens = texts.reduce((sum, { ids }) => sum + ids.length, 0);
      const truncatedInputs = texts.filter(({ truncated }) => truncated).length;
      const computeMs = results.reduce((sum, result) => sum + result.computeMs, 0);
      const finishedMs = performance.now();
      const durationMs = finishedMs - startedMs;
      sink.recordServed({ model: modelId, texts: inputs.length, tokens, latencyMs: durationMs, computeMs });
      metrics.recordRequest(modelId, "ok", durationMs);
      metrics.recordTokens(modelId, tokens, truncatedInputs);
      model.recent.record(durationMs, finishedMs);
      const { dimension } = model.found.manifest;
      return { model: modelId, dimension, vectors: results.map((r) => r.vector), tokens, truncatedInputs, durationMs };
    } catch (cause) {
      const error = explain(cause, request, deadline.signal);
      const status = error === "cancelled" ? "cancelled" : statusOf(error);
      if (status === "rejected") sink.recordRejected();
      if (status === "error") sink.recordError();
      metrics.recordRequest(modelId, status, performance.now() - startedMs);
      throw error === "cancelled" ? new ServiceError("INVALID_REQUEST", "the client closed the connection") : error;
    } finally {
      inFlight -= 1;
      admittedTexts -= admitted;
      clearTimeout(timer);
      request.signal.removeEventListener("abort", onGone);
    }
  };

  return {
    embed,
    inFlight: () => inFlight,
    queueDepth: () => textsAtGate + (parts.findModel(undefined)?.queue.depth() ?? 0),
  };
}
