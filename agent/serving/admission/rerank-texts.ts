import { ServiceError } from "#platform/errors.ts";
import type { Embedder } from "./embedder.ts";
import { relevanceScore } from "./relevance-score.ts";

export interface RerankRequest {
  /** Id or alias of a cross-encoder; undefined = the first one there is. */
  readonly model: string | undefined;
  readonly query: string;
  /** At least one. */
  readonly texts: readonly string[];
  /** What the texts are called in the request, for error messages. */
  readonly textsField: string;
  /** Whether scores are the model's own outputs instead of 0 to 1. */
  readonly rawScores: boolean;
  readonly truncate: boolean | undefined;
  readonly latencyBudgetMs: number | undefined;
  /** Whom the computation is counted on; undefined = the default tenant. */
  readonly tenant?: string | undefined;
  readonly signal: AbortSignal;
}

export interface RankedText {
  /** Place of the text in the request. */
  readonly index: number;
  readonly score: number;
}

export interface RerankResult {
  readonly model: string;
  /** The most relevant first; of equal ones, the earlier in the request. */
  readonly ranked: readonly RankedText[];
  readonly tokens: number;
  readonly truncatedInputs: number;
}

export interface Reranker {
  /** @throws ServiceError with what the client is told. */
  rerank(request: RerankRequest): Promise<RerankResult>;
}

/** @param firstCrossEncoder id of the one that requests without a model mean; null when there is none */
export function createReranker(embedder: Embedder, firstCrossEncoder: () => string | null): Reranker {
  return {
    async rerank({ query, texts, textsField, rawScores, truncate, latencyBudgetMs, tenant, signal, ...request }) {
      const model = request.model ?? firstCrossEncoder();
      if (model === null) {
        throw new ServiceError("MODEL_NOT_FOUND", "model: expected a cross-encoder to be served here, got none", {
          details: { param: "model" },
        });
      }
      const result = await embedder.embed({
        model,
        inputs: texts.map((second) => ({ first: query, second })),
        inputsField: textsField,
        dimensions: undefined,
        truncate,
        latencyBudgetMs,
        tenant,
        signal,
      });
      const ranked = result.vectors
        .map((logits, index) => ({ index, score: relevanceScore(logits, result.relevantLabel, rawScores) }))
        .sort((a, b) => b.score - a.score || a.index - b.index);
      return { model: result.model, ranked, tokens: result.tokens, truncatedInputs: result.truncatedInputs };
    },
  };
}
