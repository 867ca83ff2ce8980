import type { AgentState } from "#controller/fleet/agent-state.ts";
import type { ObservedFleet } from "#controller/scaling/active-agents/observe-fleet.ts";
import type {
  ActiveAgentsDecision,
  Explained,
  ScalingInputs,
} from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { LivePolicy } from "#controller/scaling/policy/live-policy.ts";
import type { DecisionOutcome } from "#controller/store/decision-record.ts";
import type { KeptStore } from "#controller/store/store.ts";
import { ChangeWatch, toReturnDecision } from "./change-watch.ts";
import { type HeldModesParts, heldModes, withHeldModes } from "./hold-modes.ts";
import { KeptChanges } from "./kept-changes.ts";
import type { SloConfig } from "./slo-config.ts";
import { type ObservedSlo, SloWatch } from "./slo-watch.ts";

export interface SloGuardParts extends HeldModesParts {
  readonly config: SloConfig;
  readonly targetUtilization: number;
  /** False: agents choose their modes, whatever happens. */
  readonly setsModes: boolean;
  /** A policy whose file can be taken back; absent: none is in force. */
  readonly policy: Partial<Pick<LivePolicy, "loadedAtMs" | "takeBack">> | undefined;
  /** Keeps what is watched across a restart. */
  readonly store: KeptStore;
}

const keptAs = "slo-changes";

/** Keeps the loop's decisions to the SLO: it observes what users experience and reverses changes that missed the SLO. */
export class SloGuard {
  readonly #parts: SloGuardParts;
  readonly #watch: SloWatch;
  readonly #changes: ChangeWatch;
  #policyLoadedAtMs: number | null = null;

  constructor(parts: SloGuardParts) {
    this.#parts = parts;
    this.#watch = new SloWatch(parts.config, parts.targetUtilization);
    this.#changes = new ChangeWatch(parts.fleet);
  }

  /** Takes up what an earlier run watched and held off. */
  async recover(nowMs: number): Promise<void> {
    const kept = await this.#parts.store.loadKept(keptAs, KeptChanges);
    if (kept !== null) this.#changes.recover(kept, nowMs);
  }

  /** Keeps what has changed for the next run. */
  async keep(): Promise<void> {
    const document = this.#changes.toKeep();
    if (document !== null) await this.#parts.store.saveKept(keptAs, document);
  }

  /** Observes what users felt, once a round; a policy that is another one than in the round before is watched from now on. */
  observe(agents: readonly AgentState[], { candidates, capacities }: ObservedFleet, atMs: number): ObservedSlo {
    const slo = this.#watch.observe(agents, candidates, capacities, atMs);
    const loadedAtMs = this.#parts.policy?.loadedAtMs ?? null;
    const isAnother = this.#policyLoadedAtMs !== null && loadedAtMs !== this.#policyLoadedAtMs;
    if (isAnother) this.#changes.notePolicy(slo.burn, atMs);
    this.#policyLoadedAtMs = loadedAtMs;
    return slo;
  }

  /** Returns the part of a decision's inputs that is about users. */
  inputs({ input }: ObservedSlo, atMs: number): Pick<ScalingInputs, "slo" | "heldUntilMs"> {
    const { heldUntilMs } = this.#changes;
    return {
      ...(input === undefined ? {} : { slo: input }),
      ...(heldUntilMs > atMs ? { heldUntilMs } : {}),
    };
  }

  /** Returns the decision that replaces `chosen`: a reversal, or the same with held modes. */
  guard(
    chosen: Explained<ActiveAgentsDecision>,
    slo: ObservedSlo,
    { candidates }: Pick<ScalingInputs, "candidates">,
    maxReplicas: number,
    atMs: number,
  ): Explained<ActiveAgentsDecision> {
    if (chosen.rule === "warming-up") return chosen;
    const back = this.#changes.look(slo.burn, atMs);
    if (back?.kinds.includes("policy")) this.#takeBackPolicy(slo.missed ?? "the error budget is used up too fast");
    const returned = back === null ? null : toReturnDecision(back, candidates, maxReplicas, chosen.figures, slo);
    const held = this.#parts.setsModes ? heldModes(slo.response, this.#parts, atMs) : [];
    return withHeldModes(returned ?? chosen, held);
  }

  /** Notes what came of a decision. */
  note(decision: ActiveAgentsDecision, outcome: DecisionOutcome, { burn }: ObservedSlo, atMs: number): void {
    this.#changes.note(decision, outcome, burn, atMs);
  }

  #takeBackPolicy(reason: string): void {
    const { policy } = this.#parts;
    policy?.takeBack?.(reason);
    // The one before is no change to be watched.
    this.#policyLoadedAtMs = policy?.loadedAtMs ?? null;
  }
}
