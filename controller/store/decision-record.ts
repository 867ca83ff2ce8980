import type { ModeChange } from "#controller/scaling/active-agents/scaling-inputs.ts";

/** note: something that people should know of the fleet; nothing was decided. */
export const decisionKinds = [
  "hold",
  "scale-out",
  "scale-in",
  "change-modes",
  "preview",
  "freeze",
  "capacity",
  "override",
  "override-ended",
  "note",
] as const;

/** What a decision says it will change, and what came of it. */
export interface DecisionOutcome {
  /** Agents whose desired document was changed. */
  readonly activated: readonly string[];
  readonly stoodBy: readonly string[];
  /** Agents that were given a power mode to hold; absent where modes were not decided on. */
  readonly modes?: readonly ModeChange[];
  /** Agents that were left as they were after all, and why. */
  readonly skipped: readonly { readonly agentId: string; readonly reason: string }[];
  /** Agents that have reported that it is so, and how long after they were told; absent until something is known. */
  readonly done?: readonly { readonly agentId: string; readonly afterS: number }[];
  /** Agents that had not done it in time, and what is done about that; one that did it later is in `done` as well. */
  readonly late?: readonly { readonly agentId: string; readonly reason: string }[];
}

/** A decision as it is stored and shown: nothing is recomputed later. */
export interface NewDecision {
  readonly atMs: number;
  readonly kind: (typeof decisionKinds)[number];
  /** The rule that decided, as a constant. */
  readonly rule: string;
  /** For people. */
  readonly reason: string;
  /** Agents that the decision is about. */
  readonly agents: readonly string[];
  /** The figures it rests on. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outcome: DecisionOutcome;
}

export interface DecisionRecord extends NewDecision {
  readonly id: number;
  /** A hold that repeats is kept once: when it was last made, and how often. */
  readonly lastAtMs: number;
  readonly repeats: number;
}
