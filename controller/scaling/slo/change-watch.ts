import type { Fleet } from "#controller/fleet/fleet.ts";
import type {
  ActiveAgentsDecision,
  AgentCandidate,
  Explained,
  ModeChange,
  ScalingFigures,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import { decideReturn, noHoldOff, type ReturnDecision, type WatchedChange, watchedForMs } from "./decide-return.ts";
import { explainReturn } from "./explain-return.ts";
import { fromKept, type KeptChanges, toKept } from "./kept-changes.ts";
import type { ObservedSlo } from "./slo-watch.ts";

/** Holds what users feel against the changes of the last minutes that left the fleet with less. */
export class ChangeWatch {
  readonly #fleet: Pick<Fleet, "get">;
  #changes: readonly WatchedChange[] = [];
  #holdOff = noHoldOff;
  #keptIsOld = false;

  constructor(fleet: Pick<Fleet, "get">) {
    this.#fleet = fleet;
  }

  /** Time until which no capacity is removed. */
  get heldUntilMs(): number {
    return this.#holdOff.untilMs;
  }

  /** Takes up what an earlier run of the controller watched. */
  recover(kept: KeptChanges, nowMs: number): void {
    const { changes, holdOff } = fromKept(kept, nowMs);
    this.#changes = [...changes, ...this.#changes];
    this.#holdOff = holdOff;
  }

  /** Returns what is to be kept across a restart; null when nothing has changed since the last call. */
  toKeep(): KeptChanges | null {
    if (!this.#keptIsOld) return null;
    this.#keptIsOld = false;
    return toKept(this.#changes, this.#holdOff);
  }

  /** Notes what a decision took away, once it was done; what operators want is not held against it. */
  note(decision: ActiveAgentsDecision, outcome: DecisionOutcome, burnBefore: number, atMs: number): void {
    if (decision.kind !== "scale-in" && decision.kind !== "change-modes") return;
    if (decision.rule === "override") return;
    const modes = (outcome.modes ?? []).flatMap((change) => this.#lowered(change) ?? []);
    const stoodBy = decision.kind === "scale-in" ? outcome.stoodBy : [];
    if (stoodBy.length === 0 && modes.length === 0) return;
    const kind = stoodBy.length > 0 ? "scale-in" : "lower-modes";
    this.#add({ atMs, kind, stoodBy, modes, burnBefore });
  }

  /** Notes that another scaling policy is in force. */
  notePolicy(burnBefore: number, atMs: number): void {
    this.#add({ atMs, kind: "policy", stoodBy: [], modes: [], burnBefore });
  }

  /** Decides whether the changes are reversed; then they are no longer watched, and no capacity is removed for a while. */
  look(burn: number, nowMs: number): ReturnDecision | null {
    const decision = decideReturn(this.#changes, burn, this.#holdOff, nowMs);
    if (decision === null) return null;
    this.#holdOff = decision.holdOff;
    this.#changes = [];
    this.#keptIsOld = true;
    return decision;
  }

  #add(change: WatchedChange): void {
    const { atMs } = change;
    this.#keptIsOld = true;
    this.#changes = [...this.#changes.filter((each) => Math.abs(atMs - each.atMs) <= watchedForMs), change];
  }

  /** The mode that an agent reports, if it is ordered a less capable one. */
  #lowered({ agentId, mode }: ModeChange): ModeChange | null {
    const agent = this.#fleet.get(agentId);
    const names = agent?.birth?.board.powerModes.map(({ name }) => name) ?? [];
    const present = agent?.reported?.powerMode ?? null;
    return present !== null && names.includes(present) && names.indexOf(present) < names.indexOf(mode)
      ? { agentId, mode: present }
      : null;
  }
}

/** Turns a return into a decision of the loop, as far as agents are there and the maximum allows; null when nothing of it can be done. */
export function toReturnDecision(
  decision: ReturnDecision,
  candidates: readonly AgentCandidate[],
  maxReplicas: number,
  figures: ScalingFigures,
  { missed }: Pick<ObservedSlo, "missed">,
): Explained<ActiveAgentsDecision> | null {
  const byId = new Map(candidates.map((agent) => [agent.agentId, agent]));
  const room = Math.max(0, maxReplicas - figures.activeCount);
  const activate = decision.activate
    .filter((agentId) => {
      const agent = byId.get(agentId);
      return agent !== undefined && !agent.active && agent.unavailable === null && agent.overrideRole === null;
    })
    .slice(0, room);
  const modes = decision.modes.filter(({ agentId }) => byId.get(agentId)?.unavailable === null);
  if (activate.length + modes.length === 0 && !decision.kinds.includes("policy")) return null;
  const { kinds, burn, burnBefore, afterMs } = decision;
  const returned = { kinds, burn, burnBefore, afterMs, holdOffMs: decision.holdOff.lengthMs };
  const reason = explainReturn({ ...decision, activate, modes }, missed);
  const basis = { rule: "returned", standBy: [], modes, figures, returned, reason } as const;
  return activate.length > 0
    ? { kind: "scale-out", activate, ...basis }
    : { kind: "change-modes", activate: [], ...basis };
}
