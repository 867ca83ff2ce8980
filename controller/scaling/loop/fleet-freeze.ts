import type { DecisionStore, Freeze, SafetyStore } from "#controller/store/store.ts";
import { secondMs } from "#platform/time.ts";

/** Switch that keeps the controller from changing anything. It is recorded like a decision and outlives a restart. */
export interface FleetFreeze {
  /** Loads what was stored. */
  recover(): Promise<void>;
  /** Returns the freeze in force; null when there is none or it has expired. */
  current(): Freeze | null;
  /** Freezes the fleet, or replaces the present freeze. */
  set(reason: string, expiresInS: number | null): Promise<Freeze>;
  /** Ends the freeze; returns false when there was none. */
  end(): Promise<boolean>;
}

export interface FleetFreezeParts {
  readonly store: SafetyStore & Pick<DecisionStore, "insertDecision">;
  readonly nowMs: () => number;
  readonly onChange: () => void;
}

export function createFleetFreeze({ store, nowMs, onChange }: FleetFreezeParts): FleetFreeze {
  let freeze: Freeze | null = null;
  const record = (rule: string, reason: string, inputs: Readonly<Record<string, unknown>>) =>
    store.insertDecision({
      atMs: nowMs(),
      kind: "freeze",
      rule,
      reason,
      agents: [],
      inputs,
      outcome: { activated: [], stoodBy: [], skipped: [] },
    });
  const current = () => (freeze === null || (freeze.untilMs !== null && freeze.untilMs <= nowMs()) ? null : freeze);
  return {
    async recover() {
      freeze = await store.loadFreeze();
    },
    current,
    async set(reason, expiresInS) {
      const sinceMs = nowMs();
      const next: Freeze = { reason, sinceMs, untilMs: expiresInS === null ? null : sinceMs + expiresInS * secondMs };
      await store.saveFreeze(next);
      freeze = next;
      const time = expiresInS === null ? "" : ` for ${expiresInS} s`;
      await record("frozen", `an operator froze the fleet${time}: ${reason}`, { ...next });
      onChange();
      return next;
    },
    async end() {
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
