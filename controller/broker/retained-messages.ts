/** Counts what a broker keeps for later subscribers. */
export interface RetainedMessages {
  /** Says whether a message of so many bytes may take the place of what is kept of its topic. */
  fits(topic: string, bytes: number): boolean;
  /** It was stored; 0 bytes: what was kept is gone. */
  stored(topic: string, bytes: number): void;
  readonly messages: number;
  readonly bytes: number;
}

/** What a message takes beside its payload: topic, and the objects that hold it. */
const overheadBytes = 512;

export function createRetainedMessages(maxBytes: number): RetainedMessages {
  const kept = new Map<string, number>();
  let total = 0;
  return {
    fits: (topic, bytes) => bytes === 0 || total - (kept.get(topic) ?? 0) + bytes + overheadBytes <= maxBytes,
    stored(topic, bytes) {
      total -= kept.get(topic) ?? 0;
      if (bytes === 0) kept.delete(topic);
      else kept.set(topic, bytes + overheadBytes);
      total += kept.get(topic) ?? 0;
    },
    get messages() {
      return kept.size;
    },
    get bytes() {
      return total;
    },
  };
}
