import { ServiceError } from "#platform/errors.ts";
import type { Patience } from "./request-patience.ts";
import type { ModelLease } from "./residency/model-pool.ts";

/** As the pool's `acquire`: at once where the model has a process. */
export type AcquireModel = (name: string | undefined, signal: () => AbortSignal) => ModelLease | Promise<ModelLease>;

/** Models for requests; a model's memory may have to be waited for, but not by any number of requests. */
export interface Leases {
  /**
   * @param name id or alias; undefined = the default model
   * @throws ServiceError MODEL_NOT_FOUND | TOO_MANY_REQUESTS, or whatever ended the patience
   */
  take(name: string | undefined, patience: Patience): Promise<ModelLease>;
}

export function createLeases(acquireModel: AcquireModel, limits: { readonly queueRequests: number }): Leases {
  let waiting = 0;
  return {
    async take(name, patience) {
      const lease = acquireModel(name, patience.signal);
      if (!(lease instanceof Promise)) return lease;
      waiting += 1;
      try {
        if (waiting > limits.queueRequests) {
          void lease.then(
            ({ release }) => release(),
            () => {},
          );
          throw new ServiceError(
            "TOO_MANY_REQUESTS",
            `${limits.queueRequests} requests wait for a model to be loaded`,
            {
              retryAfterS: 1,
            },
          );
        }
        return await lease;
      } finally {
        waiting -= 1;
      }
    },
  };
}
