import type { ModelLease } from "#agent/serving/residency/model-pool.ts";
import { defaultTenant } from "#protocol/messages.ts";
import type { AdmittedRequests } from "./admitted-requests.ts";
import { type AdmissionLimits, decideAdmission } from "./decide-admission.ts";
import type { RequestDeadline } from "./request-deadline.ts";

/** Same as the pool's `acquire`: synchronous where the model has a process. */
export type AcquireModel = (name: string | undefined, signal: () => AbortSignal) => ModelLease | Promise<ModelLease>;

/** Leases of models. Requests that wait for a model's memory count as admitted, so that the queue's limits bound them too. */
export interface Leases {
  /**
   * @param name id or alias; undefined = the default model
   * @param waiting the request's tenant and memory, needed only where it has to wait
   * @throws ServiceError MODEL_NOT_FOUND | TOO_MANY_REQUESTS | PAYLOAD_TOO_LARGE, or the reason that ended the wait.
   */
  acquire(
    name: string | undefined,
    deadline: RequestDeadline,
    waiting?: () => { readonly tenant: string; readonly bytes: number },
  ): ModelLease | Promise<ModelLease>;
}

const noTokens = () => 0;

export function createLeases(acquireModel: AcquireModel, admitted: AdmittedRequests, limits: AdmissionLimits): Leases {
  const admit = async (
    lease: Promise<ModelLease>,
    deadline: RequestDeadline,
    { tenant, bytes }: { readonly tenant: string; readonly bytes: number },
  ): Promise<ModelLease> => {
    let release = () => {};
    try {
      const decision = decideAdmission(
        { texts: 0, bytes, latencyBudgetMs: null },
        {
          ...admitted.state(tenant, noTokens),
          openRequests: 0,
          expectedWaitMs: null,
          computeMs: null,
          drainMs: null,
        },
        limits,
      );
      release = admitted.enter(
        { tenant, texts: 0, bytes, begun: () => false, evict: (reason) => deadline.abort(reason) },
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
  };
  return {
    acquire(name, deadline, waiting = () => ({ tenant: defaultTenant, bytes: 0 })) {
      const lease = acquireModel(name, deadline.signal);
      return lease instanceof Promise ? admit(lease, deadline, waiting()) : lease;
    },
  };
}
