import { matchesFilter } from "#protocol/topics.ts";

interface Retained {
  readonly topic: string;
  readonly payload: { readonly length: number };
}

const lastLevelOf = (topic: string) => topic.slice(topic.lastIndexOf("/") + 1);
const hasWildcard = (filter: string) => filter.includes("+") || filter.includes("#");

/**
 * Retained messages, found by topic and by last level. Subscribers to single topics are by far the most: each must not cost a look at the
 * messages of all the fleet, as it does in aedes' own store.
 */
export function createRetainedIndex<T extends Retained>() {
  const byTopic = new Map<string, T>();
  const byLastLevel = new Map<string, Map<string, T>>();
  const candidates = (filter: string): ReadonlyMap<string, T> => {
    const last = lastLevelOf(filter);
    return hasWildcard(last) ? byTopic : (byLastLevel.get(last) ?? new Map());
  };
  return {
    /** Takes in a retained message; one without a payload removes its topic's. */
    store(packet: T): void {
      const { topic } = packet;
      const last = lastLevelOf(topic);
      const others = byLastLevel.get(last) ?? new Map<string, T>();
      if (packet.payload.length === 0) {
        byTopic.delete(topic);
        others.delete(topic);
      } else {
        byTopic.set(topic, packet);
        others.set(topic, packet);
      }
      if (others.size === 0) byLastLevel.delete(last);
      else byLastLevel.set(last, others);
    },
    /** Messages whose topics match, once per filter. A filter that begins with a wildcard matches no topic that begins with `$` (MQTT 4.7.2). */
    *matching(filters: readonly string[]): Generator<T> {
      for (const filter of filters) {
        if (!hasWildcard(filter)) {
          const packet = byTopic.get(filter);
          if (packet !== undefined) yield packet;
          continue;
        }
        const leavesOutSystem = filter.startsWith("+") || filter.startsWith("#");
        for (const [topic, packet] of candidates(filter))
          if (!(leavesOutSystem && topic.startsWith("$")) && matchesFilter(filter, topic)) yield packet;
      }
    },
  };
}
