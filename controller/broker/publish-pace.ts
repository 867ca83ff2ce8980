/** Says how long a client has to be held back for what it publishes to stay within an average. Nothing is refused: it waits. */
export interface PublishPace {
  /** Takes so many messages and bytes, and returns after how long they may go on. */
  take(messages: number, bytes: number): number;
}

export interface PaceLimits {
  readonly messagesPerS: number;
  readonly bytesPerS: number;
  readonly burstS: number;
}

export function createPublishPace({ messagesPerS, bytesPerS, burstS }: PaceLimits, nowMs: () => number): PublishPace {
  /** Until when each is used up, in ms; in the past by as much as may come at once. */
  let messagesMs = Number.NEGATIVE_INFINITY;
  let bytesMs = Number.NEGATIVE_INFINITY;
  return {
    take(messages, bytes) {
      const now = nowMs();
      const earliest = now - burstS * 1000;
      messagesMs = Math.max(messagesMs, earliest) + (messages / messagesPerS) * 1000;
      bytesMs = Math.max(bytesMs, earliest) + (bytes / bytesPerS) * 1000;
      return Math.max(0, Math.ceil(Math.max(messagesMs, bytesMs) - now));
    },
  };
}
