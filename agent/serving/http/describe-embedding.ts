import type { ErrorCode } from "#platform/errors.ts";
import { latencyBudgetHeader } from "./latency-budget.ts";

/** What a request for vectors can fail with. */
export const embeddingErrors: Partial<Record<ErrorCode, string>> = {
  INVALID_REQUEST: "inputs.3: expected at most 256 tokens for all-MiniLM-L6-v2 with truncate: false, got a longer text",
  MODEL_NOT_FOUND: 'model: expected one of all-MiniLM-L6-v2, got "gpt"',
  PAYLOAD_TOO_LARGE: "the body is larger than 4194304 bytes",
  UNSUPPORTED_MEDIA_TYPE: 'content-type: expected application/json, got "text/plain"',
  TOO_MANY_REQUESTS: "4096 texts wait already; 4096 may",
  MODEL_UNAVAILABLE: "model bge-small can't be loaded: it needs more memory than models may have",
  AGENT_STANDBY: "this agent is standby: ask one of the peers",
  SHUTTING_DOWN: "this agent is stopping",
  DEADLINE_EXCEEDED: "no answer within 30000 ms",
};

export const embeddingHeaders = {
  [latencyBudgetHeader]: {
    description:
      "Milliseconds the client waits: a request that would take longer is turned away at once (429), one that has taken longer is not computed (504).",
    example: "250",
  },
};
