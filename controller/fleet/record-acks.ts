import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Ack, maxAckItems } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";

export interface RecordAcksParts {
  readonly fleetName: string;
  readonly broker: Pick<Broker, "publish" | "connected">;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** Resolves when all that was stored before outlasts a power cut. Default: at once. */
  readonly settled?: () => Promise<void>;
  /** Time in which the records of an agent are gathered into one message; real time. */
  readonly gatherMs?: number;
}

type Pending = Pick<Ack, "stored" | "refused">;

const defaultGatherMs = 100;

/** Adds a record to runs of consecutive ones, in place; false when there is no place for another run. */
export function addToRuns(runs: Ack["stored"], bootId: string, seq: number): boolean {
  for (const run of runs) {
    if (run.bootId !== bootId || seq < run.fromSeq - 1 || seq > run.toSeq + 1) continue;
    run.fromSeq = Math.min(run.fromSeq, seq);
    run.toSeq = Math.max(run.toSeq, seq);
    return true;
  }
  if (runs.length >= maxAckItems) return false;
  runs.push({ bootId, fromSeq: seq, toSeq: seq });
  return true;
}

/**
 * Tells agents which of their records are stored, so that they can drop them: no more than one message an agent in `gatherMs`. One that is lost,
 * or finds no place, costs nothing but a repeat: the agent sends the record again, and a record that is stored already is acknowledged again.
 */
export class RecordAcks {
  readonly #parts: RecordAcksParts;
  readonly #counted: ReturnType<typeof createCountedLog>;
  #pending = new Map<string, Pending>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(parts: RecordAcksParts) {
    this.#parts = parts;
    this.#counted = createCountedLog(parts.log, Date.now);
  }

  stored(agentId: string, bootId: string, seq: number): void {
    addToRuns(this.#of(agentId).stored, bootId, seq);
  }

  /** The record can't be read, and never will be: it must not block those behind it. */
  refused(agentId: string, bootId: string, seq: number, reason: string): void {
    const { refused } = this.#of(agentId);
    if (refused.length < maxAckItems) refused.push({ bootId, seq, reason: reason.slice(0, 512) });
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => void this.#flush(), this.#parts.gatherMs ?? defaultGatherMs);
  }

  #of(agentId: string): Pending {
    // Not awaited: a message handler must not wait for a publish.
    this.#schedule();
    const known = this.#pending.get(agentId) ?? { stored: [], refused: [] };
    this.#pending.set(agentId, known);
    return known;
  }

  async #flush(): Promise<void> {
    const { fleetName, broker, nowMs, settled } = this.#parts;
    const due = this.#pending;
    this.#pending = new Map();
    try {
      // While the disk is busy no other flush begins: the records of that time are gathered into the next.
      await settled?.();
    } catch (error) {
      this.#counted.note("records are not acknowledged, as the disk does not keep them", { err: describeError(error) });
      return;
    } finally {
      this.#timer = undefined;
      if (this.#pending.size > 0 && !this.#isStopped) this.#schedule();
    }
    if (!broker.connected || this.#isStopped) return;
    const sentAtMs = Math.round(nowMs());
    for (const [agentId, pending] of due) {
      const message = encodeMessage(Ack, { v: 1, agentId, sentAtMs, ...pending });
      broker
        .publish(agentTopic(fleetName, agentId, "ack"), message, { retain: false })
        .catch((error) =>
          this.#counted.note("records could not be acknowledged", { agentId, err: describeError(error) }),
        );
    }
  }
}
