/** Messages of an agent that were not accepted as sent, since this controller started. */
export interface AgentFaults {
  /** Messages that could not be read or were not its to send. */
  readonly refused: number;
  /** Implausible minutes; they are kept beside the record. */
  readonly setAside: number;
  /** Minutes under the name of another one, or with other figures than the one on record. */
  readonly conflicts: number;
  readonly lastReason: string | null;
  readonly lastAtMs: number | null;
}

export type FaultKind = "refused" | "setAside" | "conflicts";

const noFaults: AgentFaults = { refused: 0, setAside: 0, conflicts: 0, lastReason: null, lastAtMs: null };

export type IngestCounts = ReturnType<typeof createIngestCounts>;

/** Counts of messages that were not accepted as sent, by agent and in all. */
export function createIngestCounts() {
  const byAgent = new Map<string, AgentFaults>();
  const totals = {
    ...{ refused: 0, setAside: 0, conflicts: 0 },
    /** Messages of agents beyond `ingest.maxAgents`. */
    noRoom: 0,
    /** Reason why minutes can't be stored now; null when they can. They are not acknowledged, so agents send them again. */
    storeFault: null as string | null,
    /** Minutes that could not be stored when they came. */
    unstored: 0,
    /** Time of the newest of each kind; null: none yet. */
    lastConflictMs: null as number | null,
    lastNoRoomMs: null as number | null,
  };
  return {
    /** Counts a fault; `agentId` is null for an unknown agent. */
    note(agentId: string | null, kind: FaultKind, reason: string, nowMs: number): void {
      totals[kind] += 1;
      if (kind === "conflicts") totals.lastConflictMs = nowMs;
      if (agentId === null) return;
      const before = byAgent.get(agentId) ?? noFaults;
      byAgent.set(agentId, {
        ...before,
        [kind]: before[kind] + 1,
        lastReason: reason.slice(0, 512),
        lastAtMs: Math.round(nowMs),
      });
    },
    noteNoRoom(nowMs: number): void {
      totals.noRoom += 1;
      totals.lastNoRoomMs = nowMs;
    },
    /** Result of storing the newest minute: null, or why it failed. */
    noteStored(fault: string | null): void {
      totals.storeFault = fault;
      if (fault !== null) totals.unstored += 1;
    },
    of: (agentId: string) => byAgent.get(agentId) ?? noFaults,
    totals: () => ({ ...totals }),
    forget(agentId: string): void {
      byAgent.delete(agentId);
    },
  };
}
