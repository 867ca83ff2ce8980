import { ServiceError } from "#platform/errors.ts";
import { type ComputedText, type MissingText, mostTextsInLine, type TextComputer } from "./compute-texts.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { EmbedRequest } from "./embedder.ts";
import type { EmbeddingModel } from "./embedding-model.ts";
import { likelyTokens } from "./likely-tokens.ts";

/** What is let in to be computed, counted from its admission to its answer. */
export interface AdmittedLine {
  /** @throws ServiceError PAYLOAD_TOO_LARGE | TOO_MANY_REQUESTS */
  refuseUnlessAdmitted(model: EmbeddingModel, request: EmbedRequest, missing: readonly MissingText[]): void;
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
    refuseUnlessAdmitted({ queue, found }, { latencyBudgetMs }, missing) {
      const texts = Math.min(missing.length, mostTextsInLine);
      const tokens = missing.reduce((sum, { input }) => sum + likelyTokens(input, found.manifest.maxTokens), 0);
      const decision = decideAdmission(
        { texts, latencyBudgetMs: latencyBudgetMs ?? null },
        {
          admittedTexts,
          admittedRequests,
          waitingTokens: queue.waitingTokens(),
          expectedWaitMs: queue.expectedWaitMs({ texts: missing.length, tokens }),
          computeMs: queue.computeMs(tokens),
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
