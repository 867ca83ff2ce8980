import type { EmbeddingModel } from "#agent/serving/residency/embedding-model.ts";
import type { InputRules } from "#agent/serving/text/input-rules.ts";
import { ServiceError } from "#platform/errors.ts";
import { defaultTenant } from "#protocol/messages.ts";
import type { AdmittedRequests } from "./admitted-requests.ts";
import { type ComputedText, computeTexts, type MissingText, maxTextsInQueue } from "./compute-texts.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { EmbedRequest } from "./embedder.ts";
import { estimateBytes, estimateTokens } from "./estimate-request.ts";
import type { RequestDeadline } from "./request-deadline.ts";
import type { ResultCache } from "./result-cache.ts";

/**
 * Admits a request, which counts as waiting from then on.
 * @param missing the texts to compute
 * @returns computes them. Rejects with the reason that ended the wait, or why the texts can't be computed.
 * @throws ServiceError PAYLOAD_TOO_LARGE | TOO_MANY_REQUESTS when it is refused.
 */
export function admitRequest(
  parts: {
    readonly admitted: AdmittedRequests;
    readonly limits: AdmissionLimits & Pick<InputRules, "emptyTexts">;
    readonly cache: ResultCache;
  },
  model: EmbeddingModel,
  request: EmbedRequest,
  missing: readonly MissingText[],
  deadline: RequestDeadline,
): () => Promise<ComputedText[]> {
  const { queue, found } = model;
  const { tenant = defaultTenant, latencyBudgetMs = null, inputsField, truncate, truncationSide, everyToken } = request;
  const { maxTokens, dimension } = found.manifest;
  const tokens = missing.reduce((sum, { input }) => sum + estimateTokens(input, maxTokens), 0);
  const texts = Math.min(missing.length, maxTextsInQueue);
  const bytes = estimateBytes(request.inputs, dimension, everyToken === true ? maxTokens : 1);
  const decision = decideAdmission(
    { texts, bytes, latencyBudgetMs },
    {
      ...parts.admitted.state(tenant, (of) => queue.waitingTokens(of)),
      openRequests: queue.openRequests(),
      expectedWaitMs: queue.expectedWaitMs(tenant, tokens),
      computeMs: queue.computeMs(tokens),
      drainMs: queue.drainMs(),
    },
    parts.limits,
  );
  let begun = () => false;
  const release = parts.admitted.enter(
    { tenant, texts, bytes, begun: () => begun(), evict: (reason) => deadline.abort(reason) },
    decision,
  );
  const signal = deadline.signal();
  const queued = queue.open(signal, { tenant, tokens, texts: missing.length, deadlineMs: deadline.atMs });
  begun = () => queued.begun;
  return async () => {
    try {
      return await computeTexts({
        model,
        inputs: missing,
        tenant,
        inputsField,
        truncate,
        truncationSide,
        everyToken,
        queued,
        signal,
        emptyTexts: parts.limits.emptyTexts,
        cache: parts.cache,
      });
    } catch (error) {
      // A failure after the wait has ended is a consequence of that.
      throw signal.aborted && !(error instanceof ServiceError) ? signal.reason : error;
    } finally {
      queued.close();
      release();
    }
  };
}
