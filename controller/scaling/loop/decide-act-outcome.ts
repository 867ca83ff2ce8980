import { duration } from "#controller/scaling/active-agents/describe-figures.ts";
import type { AgentRole, Desired, Reported } from "#protocol/messages.ts";

/** One thing that an agent was told by a decision. */
export interface ToldAct {
  readonly agentId: string;
  readonly want: { readonly role: AgentRole } | { readonly mode: string };
  /** Of the document that says so. */
  readonly version: number;
  readonly toldAtMs: number;
}

/** What the agent and its document say now. */
export interface ActEvidence {
  readonly desired: Pick<Desired, "role" | "powerMode" | "version"> | null;
  readonly reported: Pick<Reported, "desiredVersion" | "role" | "powerMode" | "differs"> | null;
  /** When that report came. */
  readonly reportedAtMs: number | null;
  /** Why it can't be reached; null when it can. */
  readonly away: string | null;
}

export type ActOutcome =
  | { readonly kind: "open" }
  /** By the agent's own word. */
  | { readonly kind: "done"; readonly afterMs: number }
  /** Another decision wants something else of the agent by now. */
  | { readonly kind: "overtaken" }
  /** It did not happen in time. */
  | { readonly kind: "late"; readonly reason: string };

/** What came of an act: only the agent's own report of the document's version, or of a later one, says that it is done. */
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
  const waited = duration(waitedMs / 1000);
  const why = isTaken ? reported.differs.find((differs) => differs.field === field)?.reason : undefined;
  const state =
    why !== undefined
      ? `${waited} after it was told it says: ${why}`
      : away !== null
        ? `${away}, ${waited} after it was told`
        : `not reported ${waited} after it was told`;
  const next =
    field === "powerMode"
      ? "planned on with the mode it is in"
      : wanted === "active"
        ? "told again, and others take its place"
        : "told again";
  return { kind: "late", reason: `${state}; ${next}` };
}
