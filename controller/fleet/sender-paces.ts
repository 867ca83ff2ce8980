import { createPublishPace, type PaceLimits, type PublishPace } from "../broker/publish-pace.ts";

/** Max agents whose rates are remembered: more than one controller's fleet has. */
const maxKnown = 20_000;

/**
 * Rates of agents at a broker that has none of its own: one stolen device that publishes without end must not take the time of all. A message beyond
 * its agent's rate is dropped before it is read; a record among them comes again, as it is not confirmed.
 */
export class SenderPaces {
  readonly #limits: PaceLimits;
  readonly #nowMs: () => number;
  /** Least recently heard first. */
  readonly #known = new Map<string, PublishPace>();

  /** @param nowMs time that nobody sets: a clock that is set back must silence nobody */
  constructor(limits: PaceLimits, nowMs: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  /** True when a message is within its agent's rate. */
  take(agentId: string, bytes: number): boolean {
    const pace = this.#known.get(agentId) ?? createPublishPace(this.#limits, this.#nowMs);
    this.#known.delete(agentId);
    this.#known.set(agentId, pace);
    if (this.#known.size > maxKnown) this.#known.delete(this.#known.keys().next().value as string);
    return pace.tryTake(1, bytes);
  }
}
