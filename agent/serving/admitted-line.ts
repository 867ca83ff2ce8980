import { ServiceError } from "#platform/errors.ts";
import { type ComputedText, type MissingText, mostTextsInLine, type TextComputer } from "./compute-texts.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { EmbedRequest } from "./embedder.ts";
import type { EmbeddingModel } from "./embedding-model.ts";

/** Before a text is tokenised its length is not known; this many are usual. */
const likelyTokens = 16;

/** What is let in to be computed, counted from its admission to its answer. */
export interface AdmittedLine {
  /** @throws ServiceError PAYLOAD_TOO_LARGE | TOO_MANY_REQUESTS */
  refuseUnlessAdmitted(model: EmbeddingModel, request: EmbedRequest, missingTexts: number): void;
  /** @throws whatever `signal` was aborted with once it was, or why the texts can't be computed. */
  compute(
    model: EmbeddingModel,
    request: EmbedRequest,
    missing: readonly MissingText[],
    signal: AbortSignal,
  ): Promise<ComputedText[]>;
}

export function createAdmittedLine(computer: TextComputer, limits: AdmissionLimits): AdmittedLine {
  /** Requests that wait for the model, and how many of their texts are in the line. */
  let admittedRequests = 0;
  let admittedTexts = 0;
  return {
    refuseUnlessAdmitted({ queue }, { latencyBudgetMs }, missingTexts) {
      const texts = Math.min(missingTexts, mostTextsInLine);
      const decision = decideAdmission(
        { texts, latencyBudgetMs: latencyBudgetMs ?? null },
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
    },

    async compute(model, request, missing, signal) {
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
    },
  };
}
