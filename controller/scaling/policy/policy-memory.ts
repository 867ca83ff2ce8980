import { hourMs } from "#platform/time.ts";
import type { ScalingDecision } from "./scaling-decision.ts";
import type { ScalingObservation } from "./scaling-observation.ts";

/** Time for which it remembers: HPA looks no further back than an hour, whatever the window. */
const rememberedMs = hourMs;

/** Memory of a policy from one decision to the next. */
export function createPolicyMemory() {
  let proposals: { readonly atMs: number; readonly replicas: number }[] = [];
  let changes: { readonly atMs: number; readonly delta: number }[] = [];
  let lastReplicas: number | null = null;
  let lastActiveMs: number | null = null;
  /** Age in seconds; a clock that was set back makes nothing younger than now. */
  const ago = (atMs: number, nowMs: number) => Math.max(0, (nowMs - atMs) / 1000);
  return {
    /** Returns what is remembered, as ages at `nowMs`; records replicas that have come or gone since it was last asked. */
    recall(nowMs: number, currentReplicas: number): Pick<ScalingObservation, "lastActiveAgoS" | "history"> {
      const delta = currentReplicas - (lastReplicas ?? currentReplicas);
      if (delta !== 0) changes.push({ atMs: nowMs, delta });
      lastReplicas = currentReplicas;
      const recent = ({ atMs }: { readonly atMs: number }) => Math.abs(nowMs - atMs) <= rememberedMs;
      proposals = proposals.filter(recent);
      changes = changes.filter(recent);
      return {
        lastActiveAgoS: lastActiveMs === null ? null : ago(lastActiveMs, nowMs),
        history: {
          recommendations: proposals.map(({ atMs, replicas }) => ({ agoS: ago(atMs, nowMs), replicas })),
          changes: changes.map((change) => ({ agoS: ago(change.atMs, nowMs), delta: change.delta })),
        },
      };
    },
    note(nowMs: number, { wanted, proposals: { triggers } }: ScalingDecision): void {
      if (wanted !== null) proposals.push({ atMs: nowMs, replicas: wanted });
      if (triggers?.active === true) lastActiveMs = nowMs;
    },
  };
}
