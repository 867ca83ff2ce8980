/** Token bucket of one client, in messages and bytes. Nothing is refused: the client is held back. */
export interface PublishPace {
  /** Takes messages and bytes from the bucket, and returns for how many ms they have to wait. */
  take(messages: number, bytes: number): number;
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
