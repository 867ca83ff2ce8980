import { nothingDone } from "#controller/store/decision-record.ts";
import type { DecisionStore, Freeze, SafetyStore } from "#controller/store/store.ts";
import { secondMs } from "#platform/time.ts";

export type FleetFreeze = ReturnType<typeof createFleetFreeze>;

export interface FleetFreezeParts {
  readonly store: SafetyStore & Pick<DecisionStore, "insertDecision">;
  readonly nowMs: () => number;
  readonly onChange: () => void;
}

/** Switch that keeps the controller from changing anything. It is recorded like a decision and outlives a restart. */
export function createFleetFreeze({ store, nowMs, onChange }: FleetFreezeParts) {
  let freeze: Freeze | null = null;
  const record = (rule: string, reason: string, inputs: Readonly<Record<string, unknown>>) =>
    store.insertDecision({ atMs: nowMs(), kind: "freeze", rule, reason, agents: [], inputs, outcome: nothingDone });
  /** Returns the freeze in force; null when there is none or it has expired. */
  const current = () => (freeze === null || (freeze.untilMs !== null && freeze.untilMs <= nowMs()) ? null : freeze);
  return {
    /** Loads what was stored. */
    async recover(): Promise<void> {
      freeze = await store.loadFreeze();
    },
    current,
    /** Freezes the fleet, or replaces the present freeze. */
    async set(reason: string, expiresInS: number | null): Promise<Freeze> {
      const sinceMs = nowMs();
      const next: Freeze = { reason, sinceMs, untilMs: expiresInS === null ? null : sinceMs + expiresInS * secondMs };
      await store.saveFreeze(next);
      freeze = next;
      const time = expiresInS === null ? "" : ` for ${expiresInS} s`;
      await record("frozen", `an operator froze the fleet${time}: ${reason}`, { ...next });
      onChange();
      return next;
    },
    /** Ends the freeze; returns false when there was none. */
    async end(): Promise<boolean> {
      const ended = current();
      await store.removeFreeze();
      freeze = null;
      if (ended === null) return false;
      await record("thawed", "an operator ended the freeze", { ...ended });
      onChange();
      return true;
    },
  };
}
