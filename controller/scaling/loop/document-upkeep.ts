import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { CapacityProvider } from "#controller/scaling/actuators/capacity-provider.ts";
import { nothingDone } from "#controller/store/decision-record.ts";
import type { Logger } from "#platform/log.ts";
import type { DecisionRecords } from "./decision-records.ts";
import { noHold } from "./overrides.ts";
import type { ScalingConfig } from "./scaling-config.ts";

export interface DocumentUpkeepParts {
  readonly config: Pick<ScalingConfig, "intervalMs" | "plan">;
  readonly fleet: Pick<Fleet, "agents">;
  readonly desired: DesiredDocuments;
  readonly roles: Pick<CapacityProvider, "request">;
  readonly records: Pick<DecisionRecords, "insert">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Ends overrides that have expired. */
export async function endOverrides({ desired, records, nowMs, log }: DocumentUpkeepParts): Promise<void> {
  for (const override of [...desired.overrides.values()]) {
    if (override.expiresAtMs > nowMs()) continue;
    const { agentId } = override;
    const reason = `the operator's override of ${agentId} has expired`;
    await desired.removeOverride(agentId);
    await desired.change(agentId, { ...noHold }, reason);
    await records.insert({
      ...{ atMs: nowMs(), kind: "override-ended", rule: "override-expired", reason, agents: [agentId] },
      inputs: { ...override },
      outcome: nothingDone,
    });
    log.info({ agentId }, reason);
  }
}

/** Ends draining that no operator wants any longer, e.g. of a document that an earlier version has left: nothing else would. */
export async function endDraining({ desired, records, nowMs, log }: DocumentUpkeepParts): Promise<void> {
  for (const { agentId, role } of [...desired.documents.values()]) {
    if (role !== "draining" || desired.overrides.get(agentId)?.role === "draining") continue;
    const reason = `no operator wants ${agentId} to drain any longer: it stands by, and serves when needed`;
    await desired.change(agentId, {}, reason);
    await records.insert({
      ...{ atMs: nowMs(), kind: "note", rule: "draining-ended", reason, agents: [agentId], inputs: {} },
      outcome: nothingDone,
    });
    log.info({ agentId }, reason);
  }
}

/** Publishes documents again that agents have not taken in: the first time may have been lost with the broker. */
export async function remindLaggards({ config, fleet, desired, nowMs }: DocumentUpkeepParts): Promise<void> {
  const now = nowMs();
  for (const { agentId, reported, presence } of fleet.agents()) {
    const document = desired.documents.get(agentId);
    if (document === undefined || presence?.status !== "online") continue;
    if (now - document.issuedAtMs < config.intervalMs || reported?.desiredVersion === document.version) continue;
    // The agent holds a later document, of another controller: it would ignore ours. The next version replaces both.
    if ((reported?.desiredVersion ?? 0) > document.version) await desired.change(agentId, {}, document.reason);
    else await desired.publishAgain(agentId);
  }
}

/** Renews power modes that are still to be held: they expire, so that without a controller agents soon choose for themselves again. */
export async function renewModes({ config, desired, roles, nowMs }: DocumentUpkeepParts): Promise<void> {
  for (const { agentId, role, powerMode, powerModeUntilMs } of [...desired.documents.values()]) {
    if (role !== "active" || powerMode === null || powerModeUntilMs === null) continue;
    if (desired.overrides.get(agentId)?.powerMode != null) continue;
    const leftMs = powerModeUntilMs - nowMs();
    // One that has ended is no longer wanted, whatever wanted it.
    if (leftMs <= 0 || leftMs > config.plan.modeHoldMs / 2) continue;
    const reason = "this power mode is still wanted";
    await roles.request({ id: `${agentId}-hold-${powerModeUntilMs}`, agentId, want: "on", mode: powerMode, reason });
  }
}
