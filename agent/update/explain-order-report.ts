import type { UpdateReport } from "#protocol/messages.ts";
import type { OrderInputs } from "./decide-order-report.ts";

/** Sentence on how an order of the fleet stands. */
export function explainOrderReport(state: UpdateReport["state"], { wanted, running, updates }: OrderInputs): string {
  switch (state) {
    case "none":
      return "the fleet has ordered no version";
    case "done":
      return `${running} runs, as ordered`;
    case "refused":
      return `${wanted} was ordered, but this device's owner does not allow updates by the fleet (update.allowFleet)`;
    case "failed":
      return `${wanted} was rolled back: ${updates?.reason ?? "unknown"}`;
    case "under-way":
      return `${wanted} is ordered; ${running} runs until the update is done`;
    default:
      return state satisfies never;
  }
}
