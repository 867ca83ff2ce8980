import { describeError } from "#platform/errors.ts";
import type { Logger } from "#platform/log.ts";
import { minuteMs } from "#platform/time.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeMessage } from "#protocol/codec.ts";
import { Command } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";
import { noSeals, type OrderSeals } from "../identity/order-seals.ts";
import type { RebirthCause } from "./agent-state.ts";

const expiryMs = minuteMs;

export interface RebirthRequestsParts {
  readonly fleetName: string;
  readonly broker: Pick<Broker, "publish">;
  readonly seals?: OrderSeals;
  /** Minimum time between two requests to one agent. */
  readonly intervalMs: number;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** Asks agents to introduce themselves again, each at most once in `intervalMs`. */
export class RebirthRequests {
  readonly #parts: RebirthRequestsParts;
  readonly #askedMs = new Map<string, number>();

  constructor(parts: RebirthRequestsParts) {
    this.#parts = parts;
  }

  /** Asks an agent; not to be awaited by a message handler, which must not wait for a publish. */
  async ask(agentId: string, causes: readonly RebirthCause[]): Promise<void> {
    const { fleetName, broker, seals = noSeals, intervalMs, log } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const lastMs = this.#askedMs.get(agentId);
    // The distance counts, whatever its sign: after a clock is set back, requests must not stop for as long.
    if (lastMs !== undefined && Math.abs(nowMs - lastMs) < intervalMs) return;
    this.#askedMs.set(agentId, nowMs);
    const issuedAtMs = Math.round(nowMs);
    const expiresAtMs = issuedAtMs + expiryMs;
    const rebirth: Command = { v: 1, id: crypto.randomUUID(), agentId, kind: "rebirth", issuedAtMs, expiresAtMs };
    const command = encodeMessage(Command, seals.seal("cmd", rebirth, expiresAtMs));
    log.info({ agentId, causes }, "asking the agent to introduce itself again");
    try {
      await broker.publish(agentTopic(fleetName, agentId, "cmd"), command, { retain: false });
    } catch (error) {
      log.warn({ agentId, err: describeError(error) }, "asking for a rebirth failed");
    }
  }

  forget(agentId: string): void {
    this.#askedMs.delete(agentId);
  }
}
