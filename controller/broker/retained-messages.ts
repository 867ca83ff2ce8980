/** Budget of the messages that a broker keeps for later subscribers. */
export interface RetainedMessages {
  /** Returns whether the budget allows a message of this size in place of the topic's present one. */
  fits(topic: string, bytes: number): boolean;
  /** Records that a message was stored; 0 bytes: the topic's message was removed. */
  stored(topic: string, bytes: number): void;
  readonly messages: number;
  readonly bytes: number;
}

/** Memory of a message beside its payload: the topic and the objects that hold it. */
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
