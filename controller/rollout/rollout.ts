import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import type { Fleet } from "#controller/fleet/fleet.ts";
import type { SloReports } from "#controller/slo/slo-reports.ts";
import type { KeptStore } from "#controller/store/store.ts";
import { ServiceError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { type AgentProgress, decideRollout, progressOf, type RolloutAgent, waveOf } from "./decide-rollout.ts";
import { explainRollout } from "./explain-rollout.ts";
import { observeAgent } from "./observe-rollout.ts";
import { KeptRollout, type RolloutPlan, type RolloutState } from "./rollout-schemas.ts";

const keptName = "rollout";

export interface RolloutParts {
  readonly fleet: Pick<Fleet, "agents">;
  readonly desired: Pick<DesiredDocuments, "documents" | "change">;
  readonly store: KeptStore;
  readonly sloReports: Pick<SloReports, "rows">;
  readonly minServing: number;
  readonly staleAfterMs: number;
  /** True while this controller may change the fleet. */
  readonly mayAct: () => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Progress of a roll-out, for people. */
export interface RolloutProgress {
  readonly rollout: KeptRollout;
  readonly counts: Readonly<Record<AgentProgress, number>>;
  /** Agents that are in a wave, with their progress. */
  readonly agents: readonly {
    readonly agentId: string;
    readonly wave: number;
    readonly progress: AgentProgress;
    readonly reason: string | null;
  }[];
}

const noCounts: Readonly<Record<AgentProgress, number>> = {
  ...{ updated: 0, failed: 0, "under-way": 0, unwilling: 0, absent: 0, waiting: 0 },
};

/** Brings a version to the fleet, wave by wave, as an operator planned it. One at a time; it outlives a restart. */
export class Rollout {
  readonly #parts: RolloutParts;
  #kept: KeptRollout | null = null;

  constructor(parts: RolloutParts) {
    this.#parts = parts;
  }

  async recover(): Promise<void> {
    this.#kept = await this.#parts.store.loadKept(keptName, KeptRollout);
  }

  current(): KeptRollout | null {
    return this.#kept;
  }

  progress(): RolloutProgress | null {
    const rollout = this.#kept;
    if (rollout === null) return null;
    const counts = { ...noCounts };
    const states = new Map(this.#parts.fleet.agents().map((state) => [state.agentId, state]));
    const agents = this.#observed(rollout).flatMap((agent) => {
      const wave = waveOf(rollout.plan, agent);
      if (wave === null) return [];
      const progress = progressOf(rollout, agent, this.#parts.nowMs());
      counts[progress] += 1;
      const reason = states.get(agent.agentId)?.reported?.update?.reason ?? null;
      return [{ agentId: agent.agentId, wave, progress, reason }];
    });
    return { rollout, counts, agents };
  }

  /** Begins a roll-out. @throws ServiceError while another one is not over */
  async start(plan: RolloutPlan): Promise<KeptRollout> {
    const before = this.#kept;
    if (before !== null && ["running", "paused", "halted"].includes(before.state))
      throw new ServiceError(
        "CONFLICT",
        `the roll-out of ${before.plan.version} is ${before.state}: stop it first (thormesh rollout stop)`,
      );
    const nowMs = Math.round(this.#parts.nowMs());
    const id = crypto.randomUUID().replaceAll("-", "").slice(0, 8);
    const started = {
      id,
      plan,
      state: "running",
      reason: "started",
      startedAtMs: nowMs,
      wave: 0,
      waveSinceMs: nowMs,
    } as const;
    return await this.#keep({ ...started, pardoned: [] });
  }

  async pause(): Promise<KeptRollout> {
    return await this.#keep({ ...this.#in("running"), state: "paused", reason: "paused by an operator" });
  }

  /** Continues after a pause or a halt; agents that have failed so far don't halt it again. */
  async resume(): Promise<KeptRollout> {
    const rollout = this.#in("paused", "halted");
    const nowMs = this.#parts.nowMs();
    const failed = this.#observed(rollout).filter((agent) => progressOf(rollout, agent, nowMs) === "failed");
    const pardoned = [...new Set([...rollout.pardoned, ...failed.map(({ agentId }) => agentId)])];
    return await this.#keep({ ...rollout, pardoned, state: "running", reason: "resumed by an operator" });
  }

  /** Ends it. The order is withdrawn from agents that have not started; those that run the version keep it. */
  async stop(): Promise<KeptRollout> {
    const rollout = this.#in("running", "paused", "halted");
    const stopped = await this.#keep({ ...rollout, state: "stopped", reason: "stopped by an operator" });
    for (const agent of this.#observed(rollout))
      if (agent.orderedAtMs !== null && agent.version !== rollout.plan.version)
        await this.#parts.desired.change(agent.agentId, { update: null }, "the roll-out was stopped");
    return stopped;
  }

  /** Makes the next step, if there is one. */
  async evaluate(): Promise<void> {
    const { desired, minServing, nowMs, log } = this.#parts;
    const rollout = this.#kept;
    if (rollout === null || rollout.state !== "running" || !this.#parts.mayAct()) return;
    const burnRate = rollout.plan.maxBurnRate === null ? null : await this.#burnRate();
    // It may have been stopped meanwhile.
    if (this.#kept !== rollout) return;
    const decision = decideRollout({ rollout, agents: this.#observed(rollout), minServing, burnRate, nowMs: nowMs() });
    const reason = explainRollout(decision, rollout);
    switch (decision.kind) {
      case "wait":
        if (rollout.reason !== reason) await this.#keep({ ...rollout, reason });
        return;
      case "halt":
        log.error({ rule: decision.rule, version: rollout.plan.version }, reason);
        await this.#keep({ ...rollout, state: "halted", reason });
        return;
      case "done":
        await this.#keep({ ...rollout, state: "done", reason });
        return;
      case "next-wave":
        await this.#keep({ ...rollout, wave: rollout.wave + 1, waveSinceMs: Math.round(nowMs()), reason });
        return;
      case "tell": {
        log.info(
          { agents: decision.agentIds, version: rollout.plan.version },
          "agents are told to run another version",
        );
        const update = { version: rollout.plan.version, orderedAtMs: Math.round(nowMs()) };
        for (const agentId of decision.agentIds) await desired.change(agentId, { update }, reason);
        await this.#keep({ ...rollout, reason });
        return;
      }
      default:
        decision satisfies never;
    }
  }

  #observed({ plan }: KeptRollout): RolloutAgent[] {
    const { fleet, desired, nowMs, staleAfterMs } = this.#parts;
    return fleet
      .agents()
      .map((state) => observeAgent(state, desired.documents.get(state.agentId), plan.version, nowMs(), staleAfterMs));
  }

  async #burnRate(): Promise<number | null> {
    const rows = await this.#parts.sloReports.rows();
    return rows.find(({ window, scope }) => window === "1h" && scope === "fleet")?.burnRate ?? null;
  }

  /** @throws ServiceError when there is no roll-out in one of these states */
  #in(...states: readonly RolloutState[]): KeptRollout {
    if (this.#kept === null) throw new ServiceError("NOT_FOUND", "there is no roll-out");
    if (states.includes(this.#kept.state)) return this.#kept;
    throw new ServiceError(
      "CONFLICT",
      `the roll-out of ${this.#kept.plan.version} is ${this.#kept.state}, expected it to be ${states.join(" or ")}`,
    );
  }

  async #keep(rollout: KeptRollout): Promise<KeptRollout> {
    const kept = { ...rollout, reason: rollout.reason.slice(0, 1024) };
    await this.#parts.store.saveKept(keptName, kept);
    this.#kept = kept;
    return kept;
  }
}
