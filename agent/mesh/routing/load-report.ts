/** Load of an agent, which travels on each of its answers to another agent: nothing fresher costs as little. */
export interface LoadReport {
  /** Texts that wait. */
  readonly queued: number;
  /** Requests in progress. */
  readonly computing: number;
  /** Texts per second that it carries now; null: unknown. */
  readonly capacityQps: number | null;
  /** Share of the capacity in use; more than 1 while work piles up; null: unknown. */
  readonly utilization: number | null;
}

/** Name of the header. */
export const loadHeader = "x-thormesh-load";

/** Name of the header by which a router says how long a request may wait here: another peer may have a shorter queue. */
export const maxWaitHeader = "x-thormesh-max-wait-ms";

/** Name of the header by which an answer says how long the agent had the request: what is beyond it is the hop's. */
export const tookHeader = "x-thormesh-took-ms";

/** Returns true where a request would wait longer than its router wants. Without a known capacity nobody can tell. */
export function isQueueTooLong(maxWaitMs: number | undefined, { queued, capacityQps }: LoadReport): boolean {
  return maxWaitMs !== undefined && capacityQps !== null && queued * 1000 > maxWaitMs * capacityQps;
}

/** Reads how long an agent had a request; null for anything else. */
export function readTookMs(text: string | null): number | null {
  return /^\d{1,8}(\.\d{1,3})?$/.test(text ?? "") ? Number(text) : null;
}

const form = /^q=(\d{1,9});c=(\d{1,9})(?:;cap=(\d{1,9}(?:\.\d{1,3})?))?(?:;w=(\d{1,3}(?:\.\d{1,3})?))?$/;

export function writeLoadReport({ queued, computing, capacityQps, utilization }: LoadReport): string {
  const capacity = capacityQps === null ? "" : `;cap=${Math.min(999_999_999, capacityQps).toFixed(1)}`;
  const share = utilization === null ? "" : `;w=${Math.min(999, utilization).toFixed(2)}`;
  return `q=${queued};c=${computing}${capacity}${share}`;
}

/** Reads a report; null for anything else. */
export function readLoadReport(text: string | null): LoadReport | null {
  const [, queued, computing, capacity, share] = form.exec(text ?? "") ?? [];
  if (queued === undefined || computing === undefined) return null;
  return {
    queued: Number(queued),
    computing: Number(computing),
    capacityQps: capacity === undefined ? null : Number(capacity),
    utilization: share === undefined ? null : Number(share),
  };
}
