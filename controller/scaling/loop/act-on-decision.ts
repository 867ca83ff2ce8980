import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { AgentCandidate, Explained, FleetChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { CapacityProvider } from "#controller/scaling/actuators/capacity-provider.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import type { ChangeBudget } from "./change-budget.ts";
import { revalidateDecision } from "./revalidate-decision.ts";

export interface DecisionActsParts {
  /** Gives agents their roles and power modes. */
  readonly roles: Pick<CapacityProvider, "request">;
  readonly budget: ChangeBudget;
  readonly desired: Pick<DesiredDocuments, "documents" | "overrides">;
  /** True when the controller sets power modes: an agent put on standby then gets its own back. */
  readonly ownsModes: boolean;
  /** Switch of the configuration: false, nothing is done, and the outcome says so. */
  readonly enabled: boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/**
 * Carries out a decision: revalidated, within the budget, activations first.
 * @param candidates the fleet as it is now, after the decision was made.
 */
export async function actOnDecision(
  decision: Explained<FleetChange>,
  candidates: readonly AgentCandidate[],
  mayBeNone: boolean,
  { roles, budget, desired, ownsModes, enabled, nowMs, log }: DecisionActsParts,
): Promise<DecisionOutcome> {
  const outcome = budget.cut(decision, revalidateDecision(decision, candidates, mayBeNone), candidates);
  if (!enabled) {
    const reason = "scaling is switched off in the configuration";
    const untouched = [...outcome.activated, ...outcome.stoodBy].map((agentId) => ({ agentId, reason }));
    return { activated: [], stoodBy: [], skipped: untouched };
  }
  const skipped = [...outcome.skipped];
  const left = new Set(skipped.map(({ agentId }) => agentId));
  const modes = (outcome.modes ?? []).filter(
    ({ agentId }) => !left.has(agentId) && desired.overrides.get(agentId)?.powerMode == null,
  );
  const modeOf = new Map(modes.map(({ agentId, mode }) => [agentId, mode]));
  const { reason } = decision;
  /** Returns false when the agent could not even be told; the others go on. */
  const ask = async (agentId: string, want: "on" | "off", mode: string | null | undefined): Promise<boolean> => {
    const version = desired.documents.get(agentId)?.version ?? 0;
    try {
      const act = { id: `${agentId}-${version}-${want}`, agentId, want, reason };
      await roles.request(mode === undefined ? act : { ...act, mode });
      return true;
    } catch (error) {
      const why = `could not be told: ${describeError(error)}`;
      log.error({ agentId, want, err: why }, "an agent's desired document can't be changed");
      skipped.push({ agentId, reason: why });
      return false;
    }
  };
  // Activations first: agents leave only when the others serve.
  const activated: string[] = [];
  for (const agentId of outcome.activated) {
    if (await ask(agentId, "on", modeOf.get(agentId))) activated.push(agentId);
  }
  const held: typeof modes = [];
  for (const entry of modes) {
    const { agentId, mode } = entry;
    const { powerMode, powerModeUntilMs } = desired.documents.get(agentId) ?? {};
    const isHeld = powerMode === mode && (powerModeUntilMs ?? Number.POSITIVE_INFINITY) > nowMs();
    if (activated.includes(agentId) || isHeld || (await ask(agentId, "on", mode))) held.push(entry);
  }
  const stoodBy: string[] = [];
  // No agent leaves for one that was to come and could not be told.
  const isMissed = activated.length < outcome.activated.length;
  for (const agentId of isMissed ? [] : outcome.stoodBy) {
    if (await ask(agentId, "off", ownsModes ? null : undefined)) stoodBy.push(agentId);
  }
  return { activated, stoodBy, skipped, ...(decision.modes === undefined ? {} : { modes: held }) };
}
