import { secondMs } from "#platform/time.ts";
import type { ClientRights } from "./client-access.ts";

export interface PaceLimits {
  readonly messagesPerS: number;
  readonly bytesPerS: number;
  readonly burstS: number;
}

export type PublishPace = ReturnType<typeof createPublishPace>;

/** Token bucket, in messages and bytes. */
export function createPublishPace({ messagesPerS, bytesPerS, burstS }: PaceLimits, nowMs: () => number) {
  /** Time at which each bucket is level again, in ms, no more than one burst in the past. */
  let messagesMs = Number.NEGATIVE_INFINITY;
  let bytesMs = Number.NEGATIVE_INFINITY;
  const levelAfter = (levelMs: number, now: number, amount: number, perS: number) =>
    Math.max(levelMs, now - burstS * secondMs) + (amount / perS) * secondMs;
  return {
    /** Takes messages and bytes from the bucket, and returns the time in ms that they have to wait. */
    take(messages: number, bytes: number): number {
      const now = nowMs();
      messagesMs = levelAfter(messagesMs, now, messages, messagesPerS);
      bytesMs = levelAfter(bytesMs, now, bytes, bytesPerS);
      return Math.max(0, Math.ceil(Math.max(messagesMs, bytesMs) - now));
    },
    /** Takes messages and bytes if they need not wait; else returns false and takes nothing. */
    tryTake(messages: number, bytes = 0): boolean {
      const now = nowMs();
      const messagesAfterMs = levelAfter(messagesMs, now, messages, messagesPerS);
      const bytesAfterMs = levelAfter(bytesMs, now, bytes, bytesPerS);
      if (Math.max(messagesAfterMs, bytesAfterMs) > now) return false;
      messagesMs = messagesAfterMs;
      bytesMs = bytesAfterMs;
      return true;
    },
  };
}

/** Maximum agents whose rates are remembered: more than one controller's fleet has. */
const maxAllowances = 20_000;
/** Connections of one agent: each may bring a last will, and costs the work of admitting it. */
const connectLimits: PaceLimits = { messagesPerS: 1, bytesPerS: 1, burstS: 60 };
/** Maximum bytes of one agent's delayed messages, which stay in memory after its connection has ended. */
export const maxDelayedBytes = 4 * 1024 * 1024;
/** Memory of a delayed message beside its payload. */
const overheadBytes = 512;

/** Rates of one agent over all its connections, or of one connection of an observer. */
export class ClientAllowance {
  readonly #publishes: PublishPace;
  readonly #connects: PublishPace;
  #delayedBytes = 0;

  constructor(limits: PaceLimits, nowMs: () => number) {
    this.#publishes = createPublishPace(limits, nowMs);
    this.#connects = createPublishPace(connectLimits, nowMs);
  }

  mayConnect(): boolean {
    return this.#connects.tryTake(1);
  }

  /** Takes a message's part of the rate, and returns the time in ms that it has to wait; null when too much waits already. */
  take(messages: number, bytes: number): number | null {
    const isTooMuch = this.#delayedBytes > 0 && this.#delayedBytes + bytes + overheadBytes > maxDelayedBytes;
    return isTooMuch ? null : this.#publishes.take(messages, bytes);
  }

  /** Waits with a message of `bytes`, which counts as delayed meanwhile. */
  async delay(waitMs: number, bytes: number): Promise<void> {
    this.#delayedBytes += bytes + overheadBytes;
    await Bun.sleep(waitMs);
    this.#delayedBytes -= bytes + overheadBytes;
  }
}

/** Allowances by agent, so that a new connection does not start with a fresh burst. */
export class ClientAllowances {
  readonly #limits: PaceLimits;
  readonly #nowMs: () => number;
  /** Least recently connected first. */
  readonly #known = new Map<string, ClientAllowance>();

  constructor(limits: PaceLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  of({ role, name }: Pick<ClientRights, "role" | "name">): ClientAllowance {
    const key = `${role} ${name}`;
    const allowance = this.#known.get(key) ?? new ClientAllowance(this.#limits, this.#nowMs);
    if (role === "observer") return allowance;
    this.#known.delete(key);
    this.#known.set(key, allowance);
    if (this.#known.size > maxAllowances) this.#known.delete(this.#known.keys().next().value as string);
    return allowance;
  }
}
