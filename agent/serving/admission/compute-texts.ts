import type { QueuedRequest } from "#agent/serving/batching/embedding-queue.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { TokenizedText } from "#agent/serving/text/text-tokenizer.ts";
import { type PlacedInput, tokenizeInputs } from "#agent/serving/text/tokenize-inputs.ts";
import { ServiceError } from "#platform/errors.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";
import type { CachedText, ResultCache } from "./result-cache.ts";

/** An input that the cache does not have. */
export interface MissingText extends PlacedInput {
  /** Under which the cache will keep it. */
  readonly key: string;
}

export interface ComputedText {
  /** The input's place in the request. */
  readonly index: number;
  readonly text: CachedText;
  /** Its share of inference time. */
  readonly computeMs: number;
}

/** How a request's texts are to be computed. */
export interface ComputeRequest {
  /** Whose it is; undefined = the default tenant. */
  readonly tenant?: string | undefined;
  /** What the inputs are called in the request, for error messages. */
  readonly inputsField: string;
  readonly truncate?: boolean | undefined;
}

/** Computes what the cache doesn't have, and lets it remember. */
export interface TextComputer {
  /**
   * The vectors of texts, in order. A large request is split: its next part is read and enters the queue when an earlier one has left it.
   * Rejects with the signal's reason when it aborts.
   * @param queued the request's place in the model's queue
   * @throws ServiceError INVALID_REQUEST for token ids that the model doesn't know and for a text that would have to be cut and may not.
   */
  compute(
    model: EmbeddingModel,
    inputs: readonly MissingText[],
    request: ComputeRequest,
    queued: QueuedRequest,
    signal: AbortSignal,
  ): Promise<ComputedText[]>;
}

/** Texts of one request that are tokenised and enter the queue together. */
const partTexts = 128;
/** While one part is computed the next one fills the queue, so that batches stay full. */
const partsInQueue = 2;

/** Texts of one request that are in the queue at once, at most. */
export const maxTextsInQueue = partTexts * partsInQueue;

/** @throws ServiceError INVALID_REQUEST for a text longer than the model reads. */
export function refuseToCut({ found }: Pick<EmbeddingModel, "found">, field: string, index: number): never {
  const { id, maxTokens } = found.manifest;
  throw new ServiceError(
    "INVALID_REQUEST",
    `${field}.${index}: expected at most ${maxTokens} tokens for ${id} with truncate: false, got a longer text`,
    { details: { param: field } },
  );
}

export function createTextComputer(cache: ResultCache): TextComputer {
  const computePart = async (
    model: EmbeddingModel,
    inputs: readonly MissingText[],
    request: ComputeRequest,
    queued: QueuedRequest,
  ): Promise<ComputedText[]> => {
    const trace = currentTrace();
    const startedMs = performance.now();
    const texts = await tokenizeInputs(model, inputs, request.inputsField);
    const cut = request.truncate === false ? texts.findIndex(({ truncated }) => truncated) : -1;
    if (cut >= 0) refuseToCut(model, request.inputsField, (inputs[cut] as MissingText).index);
    const waitingMs = performance.now();
    trace?.stage("tokenise", startedMs, waitingMs, { "thormesh.texts": texts.length });
    const results = await queued.embed(texts.map(({ ids }) => ids));
    if (trace !== undefined) {
      const finishedMs = performance.now();
      // Until the first of them was handed to the model; one that another request had asked for before may have been then already.
      const handedMs = Math.min(waitingMs + Math.min(...results.map(({ waitMs }) => waitMs)), finishedMs);
      trace.stage("queue", waitingMs, handedMs, { "thormesh.texts": texts.length });
      trace.stage("infer", handedMs, finishedMs, {
        "thormesh.compute_ms": results.reduce((sum, { computeMs }) => sum + computeMs, 0),
      });
    }
    return results.map(({ vector, computeMs }, i) => {
      const { ids, truncated } = texts[i] as TokenizedText;
      const { key, index } = inputs[i] as MissingText;
      const text = { vector, tokens: ids.length, truncated };
      cache.put(request.tenant ?? defaultTenant, key, text);
      return { index, text, computeMs };
    });
  };

  return {
    async compute(model, inputs, request, queued, signal) {
      if (inputs.length <= partTexts) return computePart(model, inputs, request, queued);
      const parts: ComputedText[][] = [];
      let next = 0;
      const work = async () => {
        while (next < inputs.length && !signal.aborted) {
          const start = next;
          next += partTexts;
          const part = inputs.slice(start, start + partTexts);
          parts[start / partTexts] = await computePart(model, part, request, queued);
        }
      };
      await Promise.all(Array.from({ length: partsInQueue }, work));
      if (signal.aborted) throw signal.reason;
      return parts.flat();
    },
  };
}
