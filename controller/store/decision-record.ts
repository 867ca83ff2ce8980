import type { ModeChange } from "#controller/scaling/active-agents/scaling-inputs.ts";

/** Kinds of decisions; note: an event of the fleet that people should know of, without a decision. */
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

/** Changes by a decision, and their outcome. */
export interface DecisionOutcome {
  /** Agents whose desired document was changed. */
  readonly activated: readonly string[];
  readonly stoodBy: readonly string[];
  /** Agents that were given a power mode to hold; absent where modes were not decided on. */
  readonly modes?: readonly ModeChange[];
  /** Agents that were not changed after all, with the reason. */
  readonly skipped: readonly { readonly agentId: string; readonly reason: string }[];
  /** Agents that have reported the change, with the seconds it took; absent until something is known. */
  readonly done?: readonly { readonly agentId: string; readonly afterS: number }[];
  /** Agents that did not do it in time, with what is done about that; one that did it later is in `done` as well. */
  readonly late?: readonly { readonly agentId: string; readonly reason: string }[];
}

export const nothingDone: DecisionOutcome = { activated: [], stoodBy: [], skipped: [] };

/** A decision as it is stored and shown: nothing is recomputed later. */
export interface NewDecision {
  readonly atMs: number;
  readonly kind: (typeof decisionKinds)[number];
  /** The rule that decided, as a constant. */
  readonly rule: string;
  /** Sentence for people. */
  readonly reason: string;
  /** Agents that the decision is about. */
  readonly agents: readonly string[];
  /** The figures it rests on. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outcome: DecisionOutcome;
}

export interface DecisionRecord extends NewDecision {
  readonly id: number;
  /** Time of the last repetition of a hold, which is stored once. */
  readonly lastAtMs: number;
  readonly repeats: number;
}
