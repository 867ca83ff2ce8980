import type { ActiveAgentsDecision, Explained, FleetChange } from "#controller/scaling/active-agents/scaling-inputs.ts";
import type { ScalingDecision } from "#controller/scaling/policy/scaling-decision.ts";
import { type DecisionOutcome, type NewDecision, nothingDone } from "#controller/store/decision-record.ts";
import type { DecisionStore } from "#controller/store/store.ts";
import type { Logger } from "#platform/log.ts";

/** Lists the agents that a decision is about, each once. */
export function agentsOf({ activate, standBy, modes = [] }: FleetChange): string[] {
  return [...new Set([...activate, ...standBy, ...modes.map(({ agentId }) => agentId)])];
}

/** Lowest and highest value of a figure. */
type Range = readonly [least: number, most: number];

function widen(range: Range | null, value: number | null): Range | null {
  if (value === null) return range;
  return range === null ? [value, value] : [Math.min(range[0], value), Math.max(range[1], value)];
}

/** Stores the loop's decisions: a hold that repeats as one row, a policy's preview once for each thing that it would do. */
export class DecisionRecords {
  readonly #store: DecisionStore;
  readonly #log: Logger;
  /** The last stored decision, while it is a hold that may simply repeat. */
  #hold: { readonly id: number; readonly what: string; readonly peakQps: Range | null } | null = null;
  /** Change that a policy in preview would make, as last recorded. */
  #previewed: string | null = null;

  constructor(store: DecisionStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** Stores a row beside the loop's decisions; a hold after it is a row of its own. */
  async insert(row: NewDecision): Promise<number> {
    this.#hold = null;
    return await this.#store.insertDecision(row);
  }

  /** Stores a decision; returns its id, or null for a hold that repeats. */
  async record(
    decision: Explained<ActiveAgentsDecision>,
    inputs: Readonly<Record<string, unknown>>,
    outcome: DecisionOutcome,
    atMs: number,
  ): Promise<number | null> {
    const { kind, rule, reason, figures, cloud = [] } = decision;
    const what = JSON.stringify([rule, figures.activeCount, cloud.map(({ id, units }) => [id, units])]);
    const before = kind === "hold" && this.#hold?.what === what ? this.#hold : null;
    const peakQps = widen(before?.peakQps ?? null, figures.peakQps);
    if (before !== null) {
      // Shows the newest reason, with the range since the first: an old reason would be taken for the present one.
      this.#hold = { ...before, peakQps };
      await this.#store.repeatDecision(before.id, {
        atMs,
        reason,
        inputs: { ...figures, ...inputs, range: { peakQps } },
      });
      return null;
    }
    const agents = kind === "hold" ? [] : agentsOf(decision);
    const id = await this.insert({ atMs, kind, rule, reason, agents, inputs: { ...figures, ...inputs }, outcome });
    if (kind === "hold") this.#hold = { id, what, peakQps };
    this.#log[kind === "hold" && rule !== "overloaded" ? "debug" : "info"]({ id, kind, rule, outcome }, reason);
    return id;
  }

  /** Stores what a policy in preview would do, when that has changed. */
  async recordPreview(scaling: Explained<ScalingDecision>, atMs: number): Promise<void> {
    const { kind, policy, replicas, acts, reason } = scaling;
    const would = acts || kind === "hold" ? null : `${policy} ${kind} ${replicas}`;
    if (would === this.#previewed) return;
    this.#previewed = would;
    if (would === null) return;
    const inputs = { scaling };
    await this.insert({ atMs, kind: "preview", rule: kind, reason, agents: [], inputs, outcome: nothingDone });
    this.#log.info({ policy, kind, replicas }, `in preview, not acted on: ${reason}`);
  }
}
