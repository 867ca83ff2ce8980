/** Token bucket of one client, in messages and bytes. */
export interface PublishPace {
  /** Takes messages and bytes from the bucket, and returns for how many ms they have to wait. */
  take(messages: number, bytes: number): number;
  /** Takes messages that need not wait; false, and takes nothing, when they would have to. */
  tryTake(messages: number): boolean;
}

export interface PaceLimits {
  readonly messagesPerS: number;
  readonly bytesPerS: number;
  readonly burstS: number;
}

export function createPublishPace({ messagesPerS, bytesPerS, burstS }: PaceLimits, nowMs: () => number): PublishPace {
  /** Time at which each bucket is level again, in ms: at most one burst in the past. */
  let messagesMs = Number.NEGATIVE_INFINITY;
  let bytesMs = Number.NEGATIVE_INFINITY;
  const levelAfter = (levelMs: number, now: number, amount: number, perS: number) =>
    Math.max(levelMs, now - burstS * 1000) + (amount / perS) * 1000;
  return {
    take(messages, bytes) {
      const now = nowMs();
      messagesMs = levelAfter(messagesMs, now, messages, messagesPerS);
      bytesMs = levelAfter(bytesMs, now, bytes, bytesPerS);
      return Math.max(0, Math.ceil(Math.max(messagesMs, bytesMs) - now));
    },
    tryTake(messages) {
      const now = nowMs();
      const afterMs = levelAfter(messagesMs, now, messages, messagesPerS);
      if (afterMs > now) return false;
      messagesMs = afterMs;
      return true;
    },
  };
}
