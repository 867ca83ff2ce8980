import type { ScalingDecision } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";

/** What a policy has to remember from one decision to the next. */
export interface PolicyMemory {
  /** What is remembered, as ages at `nowMs`; takes note of replicas that have come or gone since it was asked before. */
  recall(nowMs: number, currentReplicas: number): Pick<ScalingObservation, "lastActiveAgoS" | "history">;
  /** Remembers a decision. */
  note(nowMs: number, decision: ScalingDecision): void;
}

/** HPA looks no further back than an hour, whatever the window. */
const rememberedMs = 3_600_000;

export function createPolicyMemory(): PolicyMemory {
  let wishes: { readonly atMs: number; readonly replicas: number }[] = [];
  let changes: { readonly atMs: number; readonly delta: number }[] = [];
  let lastReplicas: number | null = null;
  let lastActiveMs: number | null = null;
  /** A clock that was set back makes nothing younger than now. */
  const ago = (atMs: number, nowMs: number) => Math.max(0, (nowMs - atMs) / 1000);
  return {
    recall(nowMs, currentReplicas) {
      const delta = currentReplicas - (lastReplicas ?? currentReplicas);
      if (delta !== 0) changes.push({ atMs: nowMs, delta });
      lastReplicas = currentReplicas;
      const recent = ({ atMs }: { readonly atMs: number }) => Math.abs(nowMs - atMs) <= rememberedMs;
      wishes = wishes.filter(recent);
      changes = changes.filter(recent);
      return {
        lastActiveAgoS: lastActiveMs === null ? null : ago(lastActiveMs, nowMs),
        history: {
          recommendations: wishes.map(({ atMs, replicas }) => ({ agoS: ago(atMs, nowMs), replicas })),
          changes: changes.map((change) => ({ agoS: ago(change.atMs, nowMs), delta: change.delta })),
        },
      };
    },
    note(nowMs, { wanted, proposals }) {
      if (wanted !== null) wishes.push({ atMs: nowMs, replicas: wanted });
      if (proposals.triggers?.active === true) lastActiveMs = nowMs;
    },
  };
}
