import { type AgentState, availabilityOf } from "#controller/fleet/agent-state.ts";
import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import type { DecisionStore } from "#controller/store/store.ts";
import type { Desired } from "#protocol/messages.ts";
import { type ActEvidence, decideActOutcome, type ToldAct } from "./decide-act-outcome.ts";
import { explainLateAct } from "./explain-act-outcome.ts";

export interface ActOutcomesParts {
  readonly fleet: Pick<Fleet, "get">;
  readonly desired: Pick<DesiredDocuments, "documents">;
  readonly store: Pick<DecisionStore, "updateOutcome" | "decisions">;
  readonly confirmWithinMs: number;
  readonly staleAfterMs: number;
  readonly nowMs: () => number;
}

interface FollowedDecision {
  readonly id: number;
  outcome: DecisionOutcome;
  acts: readonly ToldAct[];
  /** Seconds after which an act of an agent was done; other acts of the same agent may be open. */
  readonly doneAfterS: Map<string, number>;
}

/** A late act is given up after this multiple of the time allowed. */
const maxWaitFactor = 10;
const maxFollowed = 200;
const maxRecovered = 20;

/** Follows what decisions told agents until it is done, overtaken or given up, and keeps that with the decision. */
export class ActOutcomes {
  readonly #parts: ActOutcomesParts;
  #followed: FollowedDecision[] = [];

  constructor(parts: ActOutcomesParts) {
    this.#parts = parts;
  }

  /** Follows a decision that has been recorded and whose agents have their documents. */
  follow(decisionId: number, outcome: DecisionOutcome, toldAtMs: number): void {
    const { documents } = this.#parts.desired;
    /** Returns the act of an agent whose document still says so. */
    const told = (agentId: string, wantOf: (document: Desired) => ToldAct["want"] | null): ToldAct[] => {
      const document = documents.get(agentId);
      const want = document === undefined ? null : wantOf(document);
      return document === undefined || want === null ? [] : [{ agentId, want, version: document.version, toldAtMs }];
    };
    // An agent that is gone already can't confirm that it is on standby.
    const present = outcome.stoodBy.filter((agentId) => this.#evidenceOf(agentId, toldAtMs).away === null);
    const acts = [
      ...outcome.activated.flatMap((agentId) => told(agentId, ({ role }) => (role === "active" ? { role } : null))),
      ...present.flatMap((agentId) => told(agentId, ({ role }) => ({ role }))),
      ...(outcome.modes ?? []).flatMap(({ agentId, mode }) =>
        told(agentId, ({ powerMode }) => (powerMode === mode ? { mode } : null)),
      ),
    ];
    const doneAfterS = new Map((outcome.done ?? []).map(({ agentId, afterS }) => [agentId, afterS]));
    this.#followed = [...this.#followed, { id: decisionId, outcome, acts, doneAfterS }].slice(-maxFollowed);
  }

  /** Follows again what was told shortly before this controller started. */
  async recover(): Promise<void> {
    const { store, confirmWithinMs, nowMs } = this.#parts;
    const sinceMs = nowMs() - confirmWithinMs;
    const recent = await store.decisions({ limit: maxRecovered, sinceMs });
    for (const { id, atMs, kind, outcome } of recent.reverse()) {
      if (kind !== "hold" && atMs >= sinceMs) this.follow(id, outcome, atMs);
    }
  }

  /** Compares orders with reports, and stores what is new. */
  async look(): Promise<void> {
    const now = this.#parts.nowMs();
    for (const each of this.#followed) {
      if (this.#update(each, now)) await this.#parts.store.updateOutcome(each.id, each.outcome);
    }
  }

  #evidenceOf(agentId: string, now: number): ActEvidence {
    const { fleet, desired, staleAfterMs } = this.#parts;
    const agent = fleet.get(agentId);
    const availability = agent === undefined ? null : availabilityOf(agent, now, staleAfterMs);
    const { reported = null, reportedAtMs = null }: Partial<AgentState> = agent ?? {};
    return {
      ...{ desired: desired.documents.get(agentId) ?? null, reported, reportedAtMs },
      away: availability === null ? "not known" : availability.online ? null : availability.reason,
    };
  }

  /** Updates a decision's outcome; true when something is new. */
  #update(each: FollowedDecision, now: number): boolean {
    const { confirmWithinMs } = this.#parts;
    const { done = [], late = [] } = each.outcome;
    const lateReasons = new Map(late.map(({ agentId, reason }) => [agentId, reason]));
    each.acts = each.acts.filter((act) => {
      const { agentId, toldAtMs } = act;
      const outcome = decideActOutcome(act, this.#evidenceOf(agentId, now), confirmWithinMs, now);
      if (outcome.kind === "late" && !lateReasons.has(agentId)) lateReasons.set(agentId, explainLateAct(act, outcome));
      if (outcome.kind === "done") each.doneAfterS.set(agentId, Math.round(outcome.afterMs / 1000));
      const isSettled = outcome.kind === "done" || outcome.kind === "overtaken";
      return !isSettled && now >= toldAtMs && now - toldAtMs <= maxWaitFactor * confirmWithinMs;
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
  }
}
