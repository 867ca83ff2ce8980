/** Memory of a message beside its payload: the topic and the objects that hold it. */
const overheadBytes = 512;

export type RetainedMessages = ReturnType<typeof createRetainedMessages>;

/** Budget of the messages that a broker keeps for later subscribers. */
export function createRetainedMessages(maxBytes: number) {
  const kept = new Map<string, number>();
  let total = 0;
  return {
    /** Returns whether the budget allows a message of this size in place of the topic's present one. */
    fits: (topic: string, bytes: number) =>
      bytes === 0 || total - (kept.get(topic) ?? 0) + bytes + overheadBytes <= maxBytes,
    /** Records that a message was stored; 0 bytes: the topic's message was removed. */
    stored(topic: string, bytes: number): void {
      total -= kept.get(topic) ?? 0;
      if (bytes === 0) kept.delete(topic);
      else kept.set(topic, bytes + overheadBytes);
      total += kept.get(topic) ?? 0;
    },
    get messages(): number {
      return kept.size;
    },
    get bytes(): number {
      return total;
    },
  };
}
