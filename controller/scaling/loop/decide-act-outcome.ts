import type { AgentRole, Desired, Reported } from "#protocol/messages.ts";

/** Act that an agent was told by a decision. */
export interface ToldAct {
  readonly agentId: string;
  readonly want: { readonly role: AgentRole } | { readonly mode: string };
  /** Version of the document that says so. */
  readonly version: number;
  readonly toldAtMs: number;
}

/** State of the agent and its document now. */
export interface ActEvidence {
  readonly desired: Pick<Desired, "role" | "powerMode" | "version"> | null;
  readonly reported: Pick<Reported, "desiredVersion" | "role" | "powerMode" | "differs"> | null;
  /** Time at which that report came. */
  readonly reportedAtMs: number | null;
  /** Reason why it can't be reached; null when it can. */
  readonly away: string | null;
}

/** An act that did not happen in time. */
export interface LateAct {
  readonly kind: "late";
  /** refused: the agent says why it differs; away: it can't be reached; not-reported: it says nothing. */
  readonly rule: "refused" | "away" | "not-reported";
  /** The agent's own reason, or why it can't be reached; null when neither is known. */
  readonly detail: string | null;
  readonly waitedMs: number;
}

export type ActOutcome =
  | { readonly kind: "open" }
  /** Done, by the agent's own report. */
  | { readonly kind: "done"; readonly afterMs: number }
  /** A later decision wants something else of the agent. */
  | { readonly kind: "overtaken" }
  | LateAct;

/** Decides what came of an act: only the agent's own report of the document's version, or of a later one, says that it is done. */
export function decideActOutcome(
  { want, version, toldAtMs }: ToldAct,
  { desired, reported, reportedAtMs, away }: ActEvidence,
  confirmWithinMs: number,
  nowMs: number,
): ActOutcome {
  const field = "role" in want ? "role" : "powerMode";
  const wanted = "role" in want ? want.role : want.mode;
  const isTaken = reported !== null && reported.desiredVersion !== null && reported.desiredVersion >= version;
  if (isTaken && reported[field] === wanted) {
    return { kind: "done", afterMs: Math.max(0, (reportedAtMs ?? nowMs) - toldAtMs) };
  }
  if (desired !== null && desired.version > version && desired[field] !== wanted) return { kind: "overtaken" };
  const waitedMs = nowMs - toldAtMs;
  if (waitedMs <= confirmWithinMs) return { kind: "open" };
  const refusal = isTaken ? reported.differs.find((differs) => differs.field === field)?.reason : undefined;
  if (refusal !== undefined) return { kind: "late", rule: "refused", detail: refusal, waitedMs };
  return { kind: "late", rule: away === null ? "not-reported" : "away", detail: away, waitedMs };
}
