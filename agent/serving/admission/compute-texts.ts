import type { QueuedRequest } from "#agent/serving/batching/queued-request.ts";
import { FailedTextError } from "#agent/serving/batching/refused-texts.ts";
import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { type PlacedInput, tokenizeInputs } from "#agent/serving/text/tokenize-inputs.ts";
import type { TruncationSide } from "#agent/serving/text/truncation-side.ts";
import { askingForEveryToken } from "#agent/serving/worker/token-types.ts";
import { ServiceError } from "#platform/errors.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant } from "#protocol/messages.ts";
import { refuseUnreadable } from "./check-tokens.ts";
import type { CachedText, ResultCache } from "./result-cache.ts";

/** An input that is not in the cache. */
export interface MissingText extends PlacedInput {
  /** Its key in the cache. */
  readonly key: string;
}

export interface ComputedText {
  /** The input's index in the request. */
  readonly index: number;
  readonly text: CachedText;
  /** Its share of inference time. */
  readonly computeMs: number;
  /** Time that it waited in the queue until its batch was sent; 0 for one that another request had queued before. */
  readonly waitMs: number;
}

/** Texts of one request to compute. */
export interface ComputeJob {
  readonly model: EmbeddingModel;
  readonly inputs: readonly MissingText[];
  /** The tenant to charge; undefined = the default tenant. */
  readonly tenant?: string | undefined;
  /** Name of the inputs in the request, for error messages. */
  readonly inputsField: string;
  /** False: a text longer than the model reads makes the request invalid. */
  readonly truncate?: boolean | undefined;
  /** Side at which a long text is cut. Default: the model's. */
  readonly truncationSide?: TruncationSide | undefined;
  readonly emptyTexts: InputRules["emptyTexts"];
  /** The vectors of all tokens are wanted. Default: false. */
  readonly everyToken?: boolean | undefined;
  /** The request's place in the model's queue. */
  readonly queued: QueuedRequest;
  readonly signal: AbortSignal;
  /** Keeps the vectors. */
  readonly cache: ResultCache;
}

/** Texts of one request that are tokenised and enter the queue together. */
const textsPerPart = 128;
/** While one part is computed the next one fills the queue, so that batches stay full. */
const partsInQueue = 2;

/** Maximum number of texts of one request in the queue. */
export const maxTextsInQueue = textsPerPart * partsInQueue;

/** @throws ServiceError INVALID_REQUEST for a text longer than the model reads. */
export function refuseToCut(
  { found, tokenizer }: Pick<EmbeddingModel, "found" | "tokenizer">,
  field: string,
  index: number,
): never {
  const { id } = found.manifest;
  const { maxTokens } = tokenizer.idMarks;
  throw new ServiceError(
    "INVALID_REQUEST",
    `${field}.${index}: expected at most ${maxTokens} tokens for ${id} with truncate: false, got a longer text`,
    { details: { param: field } },
  );
}

/** Result of a text without tokens: the mean of nothing, as sentence-transformers has it. */
function nothing({ found }: Pick<EmbeddingModel, "found">, everyToken: boolean) {
  return { vector: new Float32Array(everyToken ? 0 : found.manifest.dimension), computeMs: 0, waitMs: 0 };
}

/** Returns the first cause of an error. */
const rootOf = (error: Error): Error => (error.cause instanceof Error ? rootOf(error.cause) : error);

/** Translates the failure of one text into the client's error, which names model and text; other errors stay as they are. */
function explainFailure(error: unknown, { model, inputsField }: ComputeJob, inputs: readonly MissingText[]): unknown {
  const input = error instanceof FailedTextError ? inputs[error.index] : undefined;
  if (input === undefined) return error;
  const field = `${inputsField}.${input.index}`;
  const reason = rootOf(error as FailedTextError).message;
  return new ServiceError("INTERNAL", `${field}: ${model.found.manifest.id} can't compute this text: ${reason}`, {
    details: { param: field },
    cause: error,
  });
}

/** Waits for a promise. Rejects with the signal's reason when it aborts first. */
async function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) throw signal.reason;
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function computePart(job: ComputeJob, inputs: readonly MissingText[]): Promise<ComputedText[]> {
  const { model, inputsField, truncate, everyToken = false, queued, cache, emptyTexts, tenant = defaultTenant } = job;
  const trace = currentTrace();
  const startedMs = performance.now();
  const limitPending = model.limitPending();
  if (limitPending !== null) await orAborted(limitPending, job.signal);
  const texts = await tokenizeInputs(model, inputs, inputsField, job.truncationSide);
  const cut = truncate === false ? texts.findIndex(({ truncated }) => truncated) : -1;
  if (cut >= 0) refuseToCut(model, inputsField, (inputs[cut] as MissingText).index);
  const refuse = () => refuseUnreadable(model, inputs, texts, { field: inputsField, emptyTexts });
  refuse();
  const waitingMs = performance.now();
  trace?.stage("tokenise", startedMs, waitingMs, { "thormesh.texts": texts.length });
  const sent = texts.map(({ ids }) => ids).filter(({ length }) => length > 0);
  const asked = everyToken ? sent.map(askingForEveryToken) : sent;
  const results = await (sent.length === 0 ? Promise.resolve([]) : queued.embed(asked)).catch((error: unknown) => {
    // More is known once the model is loaded, which may have been meanwhile.
    refuse();
    throw explainFailure(
      error,
      job,
      inputs.filter((_, i) => texts[i]?.ids.length !== 0),
    );
  });
  if (trace !== undefined && results.length > 0) {
    const finishedMs = performance.now();
    // Until the model got the first of them, which may have been before this request asked, for another one.
    const sentMs = Math.min(waitingMs + Math.min(...results.map(({ waitMs }) => waitMs)), finishedMs);
    trace.stage("queue", waitingMs, sentMs, { "thormesh.texts": texts.length });
    trace.stage("infer", sentMs, finishedMs, {
      "thormesh.compute_ms": results.reduce((sum, { computeMs }) => sum + computeMs, 0),
    });
  }
  let next = 0;
  return texts.map(({ ids, truncated }, i) => {
    const result = ids.length === 0 ? undefined : results[next++];
    const { vector, computeMs, waitMs } = result ?? nothing(model, everyToken);
    const { key, index } = inputs[i] as MissingText;
    const text = { vector, tokens: ids.length, truncated };
    cache.put(tenant, key, text);
    return { index, text, computeMs, waitMs: Math.max(0, waitMs) };
  });
}

/**
 * Computes texts, in order, and puts them into the cache. A large request is split: its next part is tokenised and queued when an earlier one
 * is answered. Rejects with the signal's reason when it aborts.
 * @throws ServiceError INVALID_REQUEST for token ids that the model doesn't know, and for a text that would have to be cut and must not be.
 */
export async function computeTexts(job: ComputeJob): Promise<ComputedText[]> {
  const { inputs, signal } = job;
  if (inputs.length <= textsPerPart) return computePart(job, inputs);
  const parts: ComputedText[][] = [];
  let next = 0;
  const work = async () => {
    while (next < inputs.length && !signal.aborted) {
      const start = next;
      next += textsPerPart;
      parts[start / textsPerPart] = await computePart(job, inputs.slice(start, start + textsPerPart));
    }
  };
  await Promise.all(Array.from({ length: partsInQueue }, work));
  if (signal.aborted) throw signal.reason;
  return parts.flat();
}
