import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import { ServiceError } from "#platform/errors.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";
import { type ComputedText, type MissingText, maxTextsInQueue, type TextComputer } from "./compute-texts.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { EmbedRequest } from "./embedder.ts";
import type { HeldRequests } from "./held-requests.ts";
import { likelyTokens } from "./likely-tokens.ts";
import { requestBytes } from "./request-bytes.ts";
import type { Patience } from "./request-patience.ts";

/** Admitted requests, counted from admission to answer. */
export interface AdmittedRequests {
  /**
   * Lets a request in, which counts as waiting from here on, and computes its texts.
   * @throws ServiceError PAYLOAD_TOO_LARGE | TOO_MANY_REQUESTS at once when it is not let in; whatever its wait was ended with; why its
   * texts can't be computed.
   */
  admit(
    model: EmbeddingModel,
    request: EmbedRequest,
    missing: readonly MissingText[],
    patience: Patience,
  ): { compute(): Promise<ComputedText[]> };
}

export function createAdmittedRequests(
  computer: TextComputer,
  held: HeldRequests,
  limits: AdmissionLimits,
): AdmittedRequests {
  return {
    admit(model, request, missing, patience) {
      const { queue, found } = model;
      const { tenant = defaultTenant, latencyBudgetMs = null } = request;
      const { maxTokens, dimension } = found.manifest;
      const tokens = missing.reduce((sum, { input }) => sum + likelyTokens(input, maxTokens), 0);
      const texts = Math.min(missing.length, maxTextsInQueue);
      const bytes = requestBytes(request.inputs, dimension);
      const decision = decideAdmission(
        { texts, bytes, latencyBudgetMs },
        {
          ...held.state(tenant, queue.waitingTokens),
          openRequests: queue.openRequests(),
          expectedWaitMs: queue.expectedWaitMs(tenant, tokens),
          computeMs: queue.computeMs(tokens),
          drainMs: queue.drainMs(),
        },
        limits,
      );
      let begun = () => false;
      const release = held.enter(
        { tenant, texts, bytes, begun: () => begun(), evict: (reason) => patience.giveUp(reason) },
        decision,
      );
      const signal = patience.signal();
      const queued = queue.open(signal, { tenant, tokens, texts: missing.length, deadlineMs: patience.deadlineMs });
      begun = () => queued.begun;
      return {
        async compute() {
          try {
            return await computer.compute(model, missing, request, queued, signal);
          } catch (error) {
            // Whatever a wait was rejected with once it had ended.
            throw signal.aborted && !(error instanceof ServiceError) ? signal.reason : error;
          } finally {
            queued.close();
            release();
          }
        },
      };
    },
  };
}
