import type { DesiredDocuments } from "#controller/fleet/desired-documents.ts";
import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { availabilityOf, ownRoleOf, unknownAgent } from "../../fleet/agent-state.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { DecisionStore } from "../../store/store.ts";
import type { CapacityConfig } from "./capacity-config.ts";
import type { CapacityProvider } from "./capacity-provider.ts";
import { decideMachine, type MachineDecision } from "./decide-machine.ts";

/** The machines of those agents that a provider switches: on for those that are to serve, off for those that rest. */
export interface Machines {
  /** Makes the agents known that the fleet has never heard of, so that they can be chosen. */
  introduce(): void;
  /** True if the agent's machine is switched on and off here. */
  switches(agentId: string): boolean;
  /** Whether an agent that may be offline can be counted on; undefined where no provider switches it: its presence says all. */
  unavailability(agentId: string, nowMs: number): string | null | undefined;
  /** Looks at every machine and asks for what is missing. Never rejects; a failure is on record and is tried again at the next look. */
  reconcile(): Promise<void>;
  stop(): Promise<void>;
}

export interface MachinesParts {
  readonly providers: readonly CapacityProvider[];
  readonly times: Pick<CapacityConfig, "startupMs" | "lingerMs" | "avoidForMs">;
  readonly staleAfterMs: number;
  readonly fleet: Fleet;
  readonly desired: DesiredDocuments;
  readonly store: Pick<DecisionStore, "insertDecision">;
  readonly nowMs: () => number;
  readonly log: Logger;
}

interface Memory {
  asked: { readonly want: "on" | "off"; readonly atMs: number; readonly attempts: number } | null;
  failedAtMs: number | null;
}

export function createMachines(parts: MachinesParts): Machines {
  const { fleet, desired, store, times, nowMs, log } = parts;
  const byAgent = new Map(
    parts.providers.flatMap((provider) => provider.agentIds.map((id) => [id, provider] as const)),
  );
  const memories = new Map<string, Memory>();
  const memoryOf = (agentId: string): Memory => {
    const memory = memories.get(agentId) ?? { asked: null, failedAtMs: null };
    memories.set(agentId, memory);
    return memory;
  };

  const decide = (agentId: string, now: number): MachineDecision => {
    const agent = fleet.get(agentId);
    const document = desired.documents.get(agentId);
    const look = {
      desiredRole: document?.role ?? null,
      desiredSinceMs: document?.issuedAtMs ?? now,
      online: agent !== undefined && availabilityOf(agent, now, parts.staleAfterMs).online,
      ownRole: agent === undefined ? null : ownRoleOf(agent),
    };
    return decideMachine({ ...look, ...memoryOf(agentId) }, times, now);
  };

  const record = (agentId: string, rule: string, reason: string) =>
    store.insertDecision({
      atMs: nowMs(),
      kind: "capacity",
      rule,
      reason: `${agentId}: ${reason}`,
      agents: [agentId],
      inputs: { provider: byAgent.get(agentId)?.kind ?? null },
      outcome: { activated: [], stoodBy: [], skipped: [] },
    });

  const look = async (agentId: string, provider: CapacityProvider) => {
    const now = nowMs();
    const decision = decide(agentId, now);
    const memory = memoryOf(agentId);
    const agent = fleet.get(agentId);
    if (agent !== undefined && availabilityOf(agent, now, parts.staleAfterMs).online) {
      memory.failedAtMs = null;
      if (memory.asked?.want === "on") memory.asked = null;
    }
    if (decision.failed) {
      memory.failedAtMs = now;
      log.error({ agentId, provider: provider.kind }, decision.reason);
      await record(agentId, "late", decision.reason);
    }
    const want = decision.ask;
    if (want === null) return;
    const before = memory.asked?.want === want ? memory.asked.attempts : 0;
    memory.asked = { want, atMs: now, attempts: before + 1 };
    const { reason } = decision;
    try {
      // The same number for the same wish: a repeat of a request that did arrive changes nothing.
      const id = `${agentId}-${desired.documents.get(agentId)?.version ?? 0}-${want}-${before + 1}`;
      await provider.request({ id, agentId, want, reason });
      if (!decision.failed) await record(agentId, `switch-${want}`, reason);
      log.info({ agentId, provider: provider.kind, want }, reason);
    } catch (error) {
      const why = describeError(error);
      memory.failedAtMs = now;
      log.error({ agentId, provider: provider.kind, want, err: why }, "a machine can't be switched");
      await record(agentId, "refused", `switching its machine ${want} failed: ${why}`);
    }
  };

  return {
    introduce() {
      for (const agentId of byAgent.keys()) {
        if (fleet.get(agentId) === undefined) fleet.put(unknownAgent(agentId, nowMs()));
      }
    },
    switches: (agentId) => byAgent.has(agentId),
    unavailability: (agentId, now) => (byAgent.has(agentId) ? decide(agentId, now).unavailable : undefined),
    async reconcile() {
      await Promise.all([...byAgent].map(([agentId, provider]) => look(agentId, provider)));
    },
    async stop() {
      await Promise.all(parts.providers.map((provider) => provider.stop()));
    },
  };
}
