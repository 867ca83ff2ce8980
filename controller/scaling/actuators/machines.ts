import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { availabilityOf, ownRoleOf, unknownAgent } from "../../fleet/agent-state.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { nothingDone } from "../../store/decision-record.ts";
import type { DecisionStore } from "../../store/store.ts";
import type { CapacityConfig } from "./capacity-config.ts";
import type { CapacityProvider, MachineLook } from "./capacity-provider.ts";
import { decideMachine, type MachineDecision } from "./decide-machine.ts";
import { explainMachine, explainUnavailable } from "./explain-machine.ts";

export interface MachinesParts {
  readonly providers: readonly CapacityProvider[];
  readonly times: Pick<CapacityConfig, "startupMs" | "lingerMs" | "avoidForMs">;
  readonly staleAfterMs: number;
  readonly fleet: Fleet;
  readonly desired: Pick<DesiredDocuments, "documents">;
  readonly store: Pick<DecisionStore, "insertDecision">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

interface MachineMemory {
  asked: MachineLook["asked"];
  failedAtMs: MachineLook["failedAtMs"];
}

/** Machines of those agents that a provider switches: on for agents that are to serve, off for those that rest. */
export class Machines {
  readonly #parts: MachinesParts;
  readonly #byAgent: ReadonlyMap<string, CapacityProvider>;
  readonly #memories = new Map<string, MachineMemory>();

  constructor(parts: MachinesParts) {
    this.#parts = parts;
    this.#byAgent = new Map(
      parts.providers.flatMap((provider) => provider.agentIds.map((id) => [id, provider] as const)),
    );
  }

  /** Makes agents known that the fleet has never heard of, so that they can be chosen. */
  introduce(): void {
    const { fleet, nowMs } = this.#parts;
    for (const agentId of this.#byAgent.keys()) {
      if (fleet.get(agentId) === undefined) fleet.put(unknownAgent(agentId, nowMs()));
    }
  }

  /** True if the agent's machine is switched on and off here. */
  switches(agentId: string): boolean {
    return this.#byAgent.has(agentId);
  }

  /** Returns why an agent that may be offline can't be counted on; null when it can, undefined where no provider switches its machine. */
  unavailability(agentId: string, nowMs: number): string | null | undefined {
    return this.#byAgent.has(agentId) ? explainUnavailable(this.#decide(agentId, nowMs)) : undefined;
  }

  /** Checks every machine and requests what is missing. Never rejects; a failure is recorded and tried again at the next check. */
  async reconcile(): Promise<void> {
    await Promise.all([...this.#byAgent].map(([agentId, provider]) => this.#reconcileOne(agentId, provider)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#parts.providers.map((provider) => provider.stop()));
  }

  #memoryOf(agentId: string): MachineMemory {
    const memory = this.#memories.get(agentId) ?? { asked: null, failedAtMs: null };
    this.#memories.set(agentId, memory);
    return memory;
  }

  #isOnline(agentId: string, now: number): boolean {
    const agent = this.#parts.fleet.get(agentId);
    return agent !== undefined && availabilityOf(agent, now, this.#parts.staleAfterMs).online;
  }

  #decide(agentId: string, now: number): MachineDecision {
    const { fleet, desired, times } = this.#parts;
    const agent = fleet.get(agentId);
    const document = desired.documents.get(agentId);
    const look = {
      desiredRole: document?.role ?? null,
      desiredSinceMs: document?.issuedAtMs ?? now,
      online: this.#isOnline(agentId, now),
      ownRole: agent === undefined ? null : ownRoleOf(agent),
    };
    return decideMachine({ ...look, ...this.#memoryOf(agentId) }, times, now);
  }

  async #record(agentId: string, rule: string, reason: string): Promise<void> {
    const { store, nowMs } = this.#parts;
    await store.insertDecision({
      atMs: nowMs(),
      kind: "capacity",
      rule,
      reason: `${agentId}: ${reason}`,
      agents: [agentId],
      inputs: { provider: this.#byAgent.get(agentId)?.kind ?? null },
      outcome: nothingDone,
    });
  }

  async #reconcileOne(agentId: string, provider: CapacityProvider): Promise<void> {
    const { desired, nowMs, log } = this.#parts;
    const now = nowMs();
    const decision = this.#decide(agentId, now);
    const reason = explainMachine(decision);
    const memory = this.#memoryOf(agentId);
    if (this.#isOnline(agentId, now)) {
      memory.failedAtMs = null;
      if (memory.asked?.want === "on") memory.asked = null;
    }
    const isLate = decision.rule === "late";
    if (isLate) {
      memory.failedAtMs = now;
      log.error({ agentId, provider: provider.kind }, reason);
      await this.#record(agentId, "late", reason);
    }
    const want = decision.ask;
    if (want === null) return;
    const before = memory.asked?.want === want ? memory.asked.attempts : 0;
    memory.asked = { want, atMs: now, attempts: before + 1 };
    try {
      // The same id for the same request: a repeat of one that did arrive changes nothing.
      const id = `${agentId}-${desired.documents.get(agentId)?.version ?? 0}-${want}-${before + 1}`;
      await provider.request({ id, agentId, want, reason });
      if (!isLate) await this.#record(agentId, `switch-${want}`, reason);
      log.info({ agentId, provider: provider.kind, want }, reason);
    } catch (error) {
      const why = describeError(error);
      memory.failedAtMs = now;
      log.error({ agentId, provider: provider.kind, want, err: why }, "a machine can't be switched");
      await this.#record(agentId, "refused", `switching its machine ${want} failed: ${why}`);
    }
  }
}
