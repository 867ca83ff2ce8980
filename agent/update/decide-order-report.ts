import type { UpdateReport } from "#protocol/messages.ts";

export interface OrderInputs {
  readonly allowed: boolean;
  /** Version that was ordered; null: none. */
  readonly wanted: string | null;
  /** Version of this program. */
  readonly running: string;
  /** State of the device's updates; null: it was never updated, or that can't be read. */
  readonly updates: {
    readonly state: string;
    readonly reason: string;
    readonly failed: readonly string[];
  } | null;
}

/** Decides how an order of the fleet stands at this device. */
export function decideOrderReport({ allowed, wanted, running, updates }: OrderInputs): UpdateReport["state"] {
  if (wanted === null) return "none";
  if (running === wanted) return "done";
  if (!allowed) return "refused";
  // A version on trial is not the one that runs for a moment; one that is being given up will not be again.
  return updates?.failed.includes(wanted) === true ? "failed" : "under-way";
}
