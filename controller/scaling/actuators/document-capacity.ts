import type { DesiredChange, DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { CapacityProvider } from "./capacity-provider.ts";

export interface DocumentCapacityParts {
  readonly fleet: Pick<Fleet, "agents">;
  readonly desired: Pick<DesiredDocuments, "documents" | "overrides" | "change">;
  /** Time that a power mode holds unless it is renewed. */
  readonly modeHoldMs: number;
  readonly nowMs: () => number;
}

/**
 * Gives agents their role and power mode by their desired documents. on: it serves, in `mode` where one is named; off: it is on standby, or has
 * the role that an operator wants. A document that was written is not yet what the agent does.
 */
export function createDocumentCapacity({ fleet, desired, modeHoldMs, nowMs }: DocumentCapacityParts): CapacityProvider {
  return {
    kind: "documents",
    get agentIds() {
      return fleet.agents().map(({ agentId }) => agentId);
    },
    async request({ agentId, want, mode, reason }) {
      const before = desired.documents.get(agentId);
      const override = desired.overrides.get(agentId);
      const role = want === "on" ? "active" : (override?.role ?? "standby");
      const change: DesiredChange = { role };
      // An operator's mode stays, whatever else is asked for.
      if (mode !== undefined && override?.powerMode == null) {
        change.powerMode = mode;
        change.powerModeUntilMs = mode === null ? null : Math.round(nowMs() + modeHoldMs);
      }
      const isSo = before?.role === role && (change.powerMode === undefined || before.powerMode === change.powerMode);
      const holdsOn = (before?.powerModeUntilMs ?? Number.POSITIVE_INFINITY) - nowMs() > modeHoldMs / 2;
      if (isSo && (change.powerMode == null || holdsOn)) return;
      await desired.change(agentId, change, reason);
    },
    async stop() {},
  };
}
