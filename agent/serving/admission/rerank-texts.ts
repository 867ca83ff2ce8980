import type { TruncationSide } from "#agent/serving/text/truncation-side.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Embedder, EmbedRequest } from "./embedder.ts";

export interface RerankRequest {
  /** Id or alias of a cross-encoder; undefined = the first one there is. */
  readonly model: string | undefined;
  readonly query: string;
  /** Not empty. */
  readonly texts: readonly string[];
  /** Name of the texts in the request, for error messages. */
  readonly textsField: string;
  /** Scores are the model's own outputs instead of 0 to 1. */
  readonly rawScores: boolean;
  readonly truncate: boolean | undefined;
  readonly truncationSide?: TruncationSide | undefined;
  readonly tokenLimits?: EmbedRequest["tokenLimits"];
  readonly latencyBudgetMs: number | undefined;
  /** An agent of another fleet sent it here, as to an offer. */
  readonly isPassedOn?: boolean;
  /** The tenant to charge; undefined = the default tenant. */
  readonly tenant?: string | undefined;
  readonly scope?: EmbedRequest["scope"];
  readonly signal: AbortSignal;
}

export interface RankedText {
  /** Index of the text in the request. */
  readonly index: number;
  readonly score: number;
}

export interface RerankResult {
  readonly model: string;
  /** Most relevant first; of equal scores, the earlier in the request first. */
  readonly ranked: readonly RankedText[];
  readonly tokens: number;
  readonly truncatedInputs: number;
}

export interface Reranker {
  /** @throws ServiceError with the message for the client. */
  rerank(request: RerankRequest): Promise<RerankResult>;
}

/**
 * Scores a pair by a cross-encoder's outputs. With one label: the logistic function of its output, 0 to 1. With several: the share that softmax
 * gives to the label that means "relevant". Raw: that label's output as it is.
 */
export function relevanceScore(logits: Float32Array, relevantLabel: number, raw: boolean): number {
  const logit = logits[relevantLabel];
  if (logit === undefined || !Number.isFinite(logit))
    throw new Error(`the model computed no finite score: label ${relevantLabel} of ${logits.length}`);
  if (raw) return logit;
  if (logits.length === 1) return 1 / (1 + Math.exp(-logit));
  // Relative to the largest, so that no exponential overflows.
  const largest = Math.max(...logits);
  let sum = 0;
  for (const each of logits) sum += Math.exp(each - largest);
  return Math.exp(logit - largest) / sum;
}

/** @param firstCrossEncoder id of the model for requests that name none; null when there is none */
export function createReranker(embedder: Embedder, firstCrossEncoder: () => string | null): Reranker {
  return {
    async rerank({ query, texts, textsField, rawScores, model: named, ...terms }) {
      const model = named ?? firstCrossEncoder();
      if (model === null) {
        throw new ServiceError("MODEL_NOT_FOUND", "model: expected this agent to serve a cross-encoder, got none", {
          details: { param: "model" },
        });
      }
      const result = await embedder.embed({
        ...{ ...terms, model },
        inputs: texts.map((second) => ({ first: query, second })),
        inputsField: textsField,
        dimensions: undefined,
      });
      const ranked = result.vectors
        .map((logits, index) => ({ index, score: relevanceScore(logits, result.relevantLabel, rawScores) }))
        .sort((a, b) => b.score - a.score || a.index - b.index);
      return { model: result.model, ranked, tokens: result.tokens, truncatedInputs: result.truncatedInputs };
    },
  };
}
