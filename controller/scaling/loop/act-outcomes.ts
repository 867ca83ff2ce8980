import { availabilityOf } from "#controller/fleet/agent-state.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import type { DecisionStore } from "#controller/store/store.ts";
import { decideActOutcome, type ToldAct } from "./decide-act-outcome.ts";

/** Follows what decisions told agents until it is done, overtaken or given up, and keeps that with the decision. */
export interface ActOutcomes {
  /** A decision has been recorded; its agents have their documents. */
  follow(decisionId: number, outcome: DecisionOutcome, toldAtMs: number): void;
  /** Takes up what was told shortly before this controller started. */
  recover(): Promise<void>;
  /** Compares what was told with what is reported, and writes down what is new. */
  look(): Promise<void>;
}

export interface ActOutcomesParts {
  readonly fleet: Pick<Fleet, "get">;
  readonly desired: Pick<DesiredDocuments, "documents">;
  readonly store: Pick<DecisionStore, "updateOutcome" | "decisions">;
  readonly confirmWithinMs: number;
  readonly staleAfterMs: number;
  readonly nowMs: () => number;
}

interface Followed {
  readonly id: number;
  outcome: DecisionOutcome;
  acts: readonly ToldAct[];
  /** Agents of which an act is done, and after how long; others of theirs may be open. */
  readonly doneAfterS: Map<string, number>;
}

/** After so many times the time allowed, what is late is no longer waited for. */
const patience = 10;
const mostFollowed = 200;
const mostRecovered = 20;

export function createActOutcomes(parts: ActOutcomesParts): ActOutcomes {
  const { fleet, desired, store, confirmWithinMs, staleAfterMs, nowMs } = parts;
  let followed: Followed[] = [];

  const evidenceOf = (agentId: string, now: number) => {
    const agent = fleet.get(agentId);
    const availability = agent === undefined ? null : availabilityOf(agent, now, staleAfterMs);
    return {
      desired: desired.documents.get(agentId) ?? null,
      reported: agent?.reported ?? null,
      reportedAtMs: agent?.reportedAtMs ?? null,
      away: availability === null ? "not known" : availability.online ? null : availability.reason,
    };
  };

  /** What is known by now; true when something is new. */
  const update = (each: Followed, now: number): boolean => {
    const { done = [], late = [] } = each.outcome;
    const lateReasons = new Map(late.map(({ agentId, reason }) => [agentId, reason]));
    each.acts = each.acts.filter((act) => {
      const { agentId, toldAtMs } = act;
      const outcome = decideActOutcome(act, evidenceOf(agentId, now), confirmWithinMs, now);
      if (outcome.kind === "late" && !lateReasons.has(agentId)) lateReasons.set(agentId, outcome.reason);
      if (outcome.kind === "done") each.doneAfterS.set(agentId, Math.round(outcome.afterMs / 1000));
      const isSettled = outcome.kind === "done" || outcome.kind === "overtaken";
      return !isSettled && now >= toldAtMs && now - toldAtMs <= patience * confirmWithinMs;
    });
    // Role and mode of one agent are two acts: it is done when both are.
    const open = new Set(each.acts.map(({ agentId }) => agentId));
    const nowDone = [...each.doneAfterS].filter(([agentId]) => !open.has(agentId));
    if (nowDone.length === done.length && lateReasons.size === late.length) return false;
    each.outcome = {
      ...each.outcome,
      done: nowDone.map(([agentId, afterS]) => ({ agentId, afterS })),
      late: [...lateReasons].map(([agentId, reason]) => ({ agentId, reason })),
    };
    return true;
  };

  const follow = (id: number, outcome: DecisionOutcome, toldAtMs: number) => {
    const told = (agentId: string, want: ToldAct["want"]): ToldAct[] => {
      const document = desired.documents.get(agentId);
      const says = "role" in want ? document?.role === want.role : document?.powerMode === want.mode;
      return document === undefined || !says ? [] : [{ agentId, want, version: document.version, toldAtMs }];
    };
    // One that is gone already can't confirm that it stands by.
    const present = outcome.stoodBy.filter((agentId) => evidenceOf(agentId, toldAtMs).away === null);
    const acts = [
      ...outcome.activated.flatMap((agentId) => told(agentId, { role: "active" })),
      ...present.flatMap((agentId) => told(agentId, { role: desired.documents.get(agentId)?.role ?? "standby" })),
      ...(outcome.modes ?? []).flatMap(({ agentId, mode }) => told(agentId, { mode })),
    ];
    const { done = [] } = outcome;
    const doneAfterS = new Map(done.map(({ agentId, afterS }) => [agentId, afterS]));
    if (acts.length > 0) followed = [...followed, { id, outcome, acts, doneAfterS }].slice(-mostFollowed);
  };

  return {
    follow,
    async recover() {
      const sinceMs = nowMs() - confirmWithinMs;
      const recent = await store.decisions({ limit: mostRecovered, sinceMs });
      for (const { id, atMs, kind, outcome } of recent.reverse()) {
        if (kind !== "hold" && atMs >= sinceMs) follow(id, outcome, atMs);
      }
    },
    async look() {
      const now = nowMs();
      for (const each of followed) if (update(each, now)) await store.updateOutcome(each.id, each.outcome);
      followed = followed.filter(({ acts }) => acts.length > 0);
    },
  };
}
