import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import { defaultTenant } from "#protocol/default-tenant.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { HeldRequests } from "./held-requests.ts";
import type { Patience } from "./request-patience.ts";

/** As the pool's `acquire`: at once where the model has a process. */
export type AcquireModel = (name: string | undefined, signal: () => AbortSignal) => ModelLease | Promise<ModelLease>;

/** Models for requests; a model's memory may have to be waited for, but not by any number of requests. */
export interface Leases {
  /**
   * @param name id or alias; undefined = the default model
   * @param waiting whose the request is and what it holds, asked for where it has to wait
   * @throws ServiceError MODEL_NOT_FOUND | TOO_MANY_REQUESTS | PAYLOAD_TOO_LARGE, or whatever ended the patience
   */
  take(
    name: string | undefined,
    patience: Patience,
    waiting?: () => { readonly tenant: string; readonly bytes: number },
  ): Promise<ModelLease>;
}

const nothingWaits = () => 0;

export function createLeases(acquireModel: AcquireModel, held: HeldRequests, limits: AdmissionLimits): Leases {
  return {
    async take(name, patience, waiting = () => ({ tenant: defaultTenant, bytes: 0 })) {
      const lease = acquireModel(name, patience.signal);
      if (!(lease instanceof Promise)) return lease;
      const { tenant, bytes } = waiting();
      let release = () => {};
      try {
        const decision = decideAdmission(
          { texts: 0, bytes, latencyBudgetMs: null },
          {
            ...held.state(tenant, nothingWaits),
            openRequests: 0,
            expectedWaitMs: null,
            computeMs: null,
            drainMs: null,
          },
          limits,
        );
        release = held.enter(
          { tenant, texts: 0, bytes, begun: () => false, evict: (reason) => patience.giveUp(reason) },
          decision,
        );
        return await lease;
      } catch (error) {
        void lease.then(
          (late) => late.release(),
          () => {},
        );
        throw error;
      } finally {
        release();
      }
    },
  };
}
