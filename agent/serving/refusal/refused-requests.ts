import type { EmbedRequest } from "#agent/serving/admission/embedder.ts";
import type { EmbedderParts } from "#agent/serving/admission/embedder-parts.ts";
import { estimateBytes, estimateTokens } from "#agent/serving/admission/estimate-request.ts";
import { ClientDisconnected, DeadlinePassed, timeoutMsOf } from "#agent/serving/admission/request-deadline.ts";
import { createRefusalPace } from "#agent/serving/refusal/refusal-pace.ts";
import type { RequestStatus } from "#agent/serving/serving-metrics.ts";
import { ServiceError } from "#platform/errors.ts";
import { currentTrace } from "#platform/request-trace.ts";
import { defaultTenant, type RefusalCause } from "#protocol/messages.ts";

/** A client that disconnects after waiting for so long had a deadline of its own; before that, it changed its mind. */
const ownDeadlineMs = 1_000;

/** Bytes of a body per token, roughly. */
const bytesPerToken = 4;

/** Cause of a refusal; null where the request itself is at fault. */
function causeOf(error: ServiceError): RefusalCause | null {
  switch (error.code) {
    case "TOO_MANY_REQUESTS":
      return "queue";
    case "RATE_LIMITED":
    case "QUOTA_EXCEEDED":
      return "rate-limit";
    case "AGENT_STANDBY":
    case "SHUTTING_DOWN":
      return "standby";
    case "DEADLINE_EXCEEDED":
      return "deadline";
    case "INVALID_REQUEST":
    case "PAYLOAD_TOO_LARGE":
    case "MODEL_NOT_FOUND":
    case "UNSUPPORTED_BY_MODEL":
      return null;
    default:
      return "error";
  }
}

function statusOf(cause: RefusalCause | null): RequestStatus {
  if (cause === null) return "invalid";
  return cause === "error" || cause === "deadline" ? "error" : "rejected";
}

type Parts = Pick<EmbedderParts, "findModel" | "metrics" | "sink" | "stopping" | "log" | "limits">;

/** Records failures and turns them into errors for clients. */
export class RefusedRequests {
  readonly #parts: Parts;
  readonly #pace = createRefusalPace(() => performance.now());

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Records a failure, slows down a client that retries at once, and returns the client's error. */
  async refuse(request: EmbedRequest, cause: unknown, startedMs: number): Promise<ServiceError> {
    const { metrics, findModel } = this.#parts;
    const tenant = request.tenant ?? defaultTenant;
    const modelId = findModel(request.model)?.manifest.id ?? "unknown";
    const error = this.#explain(cause, request);
    const waitedMs = performance.now() - startedMs;
    const gaveUp = waitedMs >= ownDeadlineMs ? "deadline" : null;
    const refusal = error === "cancelled" ? gaveUp : causeOf(error);
    if (refusal !== null && request.forPeer !== true) this.#countRefused(request, tenant, refusal);
    metrics.recordRequest(modelId, error === "cancelled" ? error : statusOf(refusal), waitedMs);
    currentTrace()?.annotate({ "error.type": error === "cancelled" ? error : error.code });
    if (error === "cancelled") return new ServiceError("INVALID_REQUEST", "the client closed the connection");
    if (["TOO_MANY_REQUESTS", "RATE_LIMITED", "QUOTA_EXCEEDED"].includes(error.code) && request.forPeer !== true) {
      const { latencyBudgetMs, signal } = request;
      await this.#pace.pause(tenant, { bytes: estimateBytes(request.inputs, 0), latencyBudgetMs, signal });
    }
    return error;
  }

  /**
   * Records the refusal of a request whose body was not read, as one text for the default model, and slows down clients that retry at once.
   * @param request.bytes of its body, as announced
   */
  async refuseUnread(
    { tenant, bytes, signal }: { readonly tenant: string; readonly bytes: number; readonly signal: AbortSignal },
    error: ServiceError,
  ): Promise<ServiceError> {
    const model = this.#parts.findModel(undefined)?.manifest.id;
    if (model !== undefined) {
      const tokens = Math.ceil(bytes / bytesPerToken);
      this.#parts.sink.recordRefused({ model, tenant, texts: 1, tokens, cause: "rate-limit" });
      this.#parts.metrics.recordRefusal(model, "rate-limit");
    }
    this.#parts.metrics.recordRequest(model ?? "unknown", "rejected", 0);
    await this.#pace.pause(tenant, { bytes: 0, signal });
    return error;
  }

  #countRefused({ model: name, inputs }: EmbedRequest, tenant: string, cause: RefusalCause): void {
    const { findModel, sink, metrics } = this.#parts;
    // A model that does not exist needs no capacity.
    const manifest = findModel(name)?.manifest;
    if (manifest === undefined) return;
    const { id: model, maxTokens } = manifest;
    const tokens = inputs.reduce((sum, input) => sum + estimateTokens(input, maxTokens), 0);
    sink.recordRefused({ model, tenant, texts: inputs.length, tokens, cause });
    metrics.recordRefusal(model, cause);
  }

  /** Translates a failure into the client's error; "cancelled" where the client has disconnected. */
  #explain(error: unknown, request: EmbedRequest): ServiceError | "cancelled" {
    if (error instanceof ServiceError) return error;
    if (error instanceof ClientDisconnected) {
      // When stopping, this side closes the remaining connections.
      return this.#parts.stopping() ? new ServiceError("SHUTTING_DOWN", "this agent has stopped") : "cancelled";
    }
    if (error instanceof DeadlinePassed) {
      return new ServiceError("DEADLINE_EXCEEDED", `no answer within ${timeoutMsOf(request, this.#parts.limits)} ms`, {
        retryAfterS: 1,
      });
    }
    this.#parts.log.error({ err: error, inputs: request.inputs.length }, "embedding failed");
    return new ServiceError("INTERNAL", "the model could not compute these texts", { cause: error });
  }
}
