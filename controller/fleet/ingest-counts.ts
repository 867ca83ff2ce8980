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

export interface IngestTotals {
  readonly refused: number;
  readonly setAside: number;
  readonly conflicts: number;
  /** Messages of agents beyond `ingest.maxAgents`. */
  readonly noRoom: number;
  /** Reason why minutes can't be stored now; null when they can. They are not acknowledged, so agents send them again. */
  readonly storeFault: string | null;
  /** Time of the newest of each kind; null: none yet. */
  readonly lastConflictMs: number | null;
  readonly lastNoRoomMs: number | null;
}

export interface IngestCounts {
  /** Counts a fault; `agentId` is null for an unknown agent. */
  note(agentId: string | null, kind: FaultKind, reason: string, nowMs: number): void;
  noteNoRoom(nowMs: number): void;
  /** Result of storing the newest minute: null, or why it failed. */
  noteStored(fault: string | null): void;
  of(agentId: string): AgentFaults;
  totals(): IngestTotals;
  forget(agentId: string): void;
}

const noFaults: AgentFaults = { refused: 0, setAside: 0, conflicts: 0, lastReason: null, lastAtMs: null };

export function createIngestCounts(): IngestCounts {
  const byAgent = new Map<string, AgentFaults>();
  const totals = { refused: 0, setAside: 0, conflicts: 0, noRoom: 0, storeFault: null as string | null };
  let lastConflictMs: number | null = null;
  let lastNoRoomMs: number | null = null;
  return {
    note(agentId, kind, reason, nowMs) {
      totals[kind] += 1;
      if (kind === "conflicts") lastConflictMs = nowMs;
      if (agentId === null) return;
      const before = byAgent.get(agentId) ?? noFaults;
      byAgent.set(agentId, {
        ...before,
        [kind]: before[kind] + 1,
        lastReason: reason.slice(0, 512),
        lastAtMs: Math.round(nowMs),
      });
    },
    noteNoRoom(nowMs) {
      totals.noRoom += 1;
      lastNoRoomMs = nowMs;
    },
    noteStored(fault) {
      totals.storeFault = fault;
    },
    of: (agentId) => byAgent.get(agentId) ?? noFaults,
    totals: () => ({ ...totals, lastConflictMs, lastNoRoomMs }),
    forget(agentId) {
      byAgent.delete(agentId);
    },
  };
}
