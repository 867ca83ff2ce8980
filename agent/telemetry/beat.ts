import type { AgentIdentity } from "#agent/identity.ts";
import type { AskedModel } from "#agent/traffic/felt-demand.ts";
import { describeError } from "#platform/errors.ts";
import { createCountedLog, type Logger } from "#platform/log.ts";
import { secondMs } from "#platform/time.ts";
import { bounds } from "#protocol/bounds.ts";
import type { Broker } from "#protocol/broker.ts";
import { encodeFitted } from "#protocol/codec.ts";
import { Beat, type CapacityEstimate } from "#protocol/messages.ts";
import { agentTopic } from "#protocol/topics.ts";

export interface BeatParts {
  readonly identity: Pick<AgentIdentity, "fleet" | "agentId" | "bootId">;
  readonly broker: Pick<Broker, "connected" | "publish">;
  readonly controllerOnline: () => boolean;
  readonly periodMs: number;
  /** Returns the models that were asked for since the last call. */
  readonly takeModels: () => AskedModel[];
  readonly capacity: () => readonly CapacityEstimate[];
  /** Returns the device's load since then. */
  readonly utilization: (sinceMs: number) => Beat["utilization"];
  readonly state: () => Pick<Beat, "role" | "modeName" | "queueDepth">;
  readonly nowMs: () => number;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
}

/** Part of a period by which a beat may be early or late: agents that start together do not beat together. */
const jitter = 0.2;
/** Delay of a beat that tells of trouble: a second refusal is in it, too. */
const newsDelayMs = [0.5 * secondMs, secondMs] as const;

/** Publishes every few seconds what users felt since the last time. Never throws; a beat that can't be sent is lost. */
export class Beats {
  readonly #parts: BeatParts;
  #sinceMs: number;
  #dueMs: number;
  /** Figures were clamped to the message's bounds. */
  readonly #counted: ReturnType<typeof createCountedLog>;

  constructor(parts: BeatParts) {
    this.#parts = parts;
    this.#counted = createCountedLog(parts.log, Date.now);
    this.#sinceMs = parts.nowMs();
    this.#dueMs = this.#nextDueMs();
  }

  /** Sends a beat if one is due; to be called every second. */
  tick(): void {
    const nowMs = this.#parts.nowMs();
    const { periodMs } = this.#parts;
    // A clock that was set back would be silent for as long.
    if (this.#dueMs - nowMs > periodMs * (1 + jitter)) this.#dueMs = nowMs;
    if (nowMs < this.#dueMs) return;
    try {
      this.#send(nowMs);
    } catch (error) {
      this.#parts.log.debug({ err: describeError(error) }, "no beat was made");
    }
    this.#sinceMs = nowMs;
    this.#dueMs = this.#nextDueMs();
  }

  /** Makes the next beat come within a second: trouble has begun. */
  hasten(): void {
    const [leastMs, mostMs] = newsDelayMs;
    const { nowMs, random } = this.#parts;
    this.#dueMs = Math.min(this.#dueMs, nowMs() + leastMs + (mostMs - leastMs) * random());
  }

  #nextDueMs(): number {
    const { nowMs, periodMs, random } = this.#parts;
    return nowMs() + periodMs * (1 - jitter + 2 * jitter * random());
  }

  #send(nowMs: number): void {
    const { identity, broker, controllerOnline, takeModels, capacity, utilization, state, log } = this.#parts;
    // Taken in any case, so that the first beat after an outage tells of the present.
    const models = takeModels();
    if (!broker.connected || !controllerOnline()) return;
    const estimates = capacity();
    const beat: Beat = {
      v: 1,
      agentId: identity.agentId,
      bootId: identity.bootId,
      sentAtMs: Math.round(nowMs),
      windowMs: Math.min(bounds.durationMs, Math.max(1, Math.round(nowMs - this.#sinceMs))),
      ...state(),
      models: models.map((asked) => {
        const estimate = estimates.find(({ model }) => model === asked.model);
        return estimate === undefined ? asked : { ...asked, capacity: estimate };
      }),
      utilization: utilization(this.#sinceMs),
    };
    const payload = encodeFitted(Beat, beat, (reason) =>
      this.#counted.note("a beat was clamped to its bounds", { reason }),
    );
    broker
      .publish(agentTopic(identity.fleet, identity.agentId, "beat"), payload, { retain: false, qos: 0 })
      .catch((error) => log.debug({ err: describeError(error) }, "a beat was not sent"));
  }
}
