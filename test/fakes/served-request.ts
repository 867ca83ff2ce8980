import type { RefusedRequest, ServedRequest } from "#agent/serving/ports.ts";

/** One answered text of the default tenant; a test gives the fields that matter to it. */
export function aServed(given: Partial<ServedRequest> = {}): ServedRequest {
  return {
    ...{ model: "m", tenant: "default", texts: 1, tokens: 9, latencyMs: 3, computeMs: 2, cachedTexts: 0, queueMs: 0 },
    ...given,
  };
}

/** One text of the default tenant that found the queue full. */
export function aRefused(given: Partial<RefusedRequest> = {}): RefusedRequest {
  return { model: "m", tenant: "default", texts: 1, tokens: 9, cause: "queue", ...given };
}
