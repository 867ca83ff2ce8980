/** A topic on which a broker does not let this client publish, or a filter that it does not let it subscribe to. */
export interface BrokerRefusal {
  readonly action: "publish" | "subscribe";
  readonly topic: string;
  /** Reason, in words. */
  readonly reason: string;
}

/** Maximum refusals that are remembered; a client has fewer topics. */
const maxRefusals = 64;

/** Keeps the refusals in force: each is forgotten as soon as the broker grants the same. */
export function createBrokerRefusals() {
  const kept = new Map<string, BrokerRefusal>();
  const keyOf = (action: BrokerRefusal["action"], topic: string) => `${action} ${topic}`;
  return {
    list: (): readonly BrokerRefusal[] => [...kept.values()],
    /** Returns true for a refusal that is new, or has another reason. */
    add(refusal: BrokerRefusal): boolean {
      const key = keyOf(refusal.action, refusal.topic);
      const isNew = kept.get(key)?.reason !== refusal.reason;
      if (kept.size < maxRefusals || kept.has(key)) kept.set(key, refusal);
      return isNew;
    },
    granted(action: BrokerRefusal["action"], topic: string): void {
      kept.delete(keyOf(action, topic));
    },
  };
}

/** Returns the sentence that a person reads about a refusal. */
export function refusalToText({ action, topic, reason }: BrokerRefusal): string {
  return action === "publish"
    ? `the broker does not accept messages on ${topic}: ${reason}`
    : `the broker does not allow a subscription to ${topic}: ${reason}`;
}
