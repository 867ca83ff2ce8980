import { isIPv6 } from "node:net";

/** Number of wrong keys in a row that a typo or a rotated key explains; after them one a second is allowed. */
const burst = 10;
const perSecond = 1;
/** Limit of remembered addresses; the least recently used is dropped. */
const maxAddresses = 4096;

/** Network of an address: the /64 of an IPv6 address (providers assign at least that to a customer), else the address itself. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [before = [], after = []] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = new Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}

/** Limits wrong keys by network address, against guessing. @param nowMs monotonic clock */
export function createKeyAttempts(nowMs: () => number) {
  /** Token buckets, the most recently used last. */
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    /** Counts a wrong key. Returns the seconds that the sender should wait; 0 within the limit. */
    wrongKey(address: string): number {
      const network = networkOf(address);
      const now = nowMs();
      const before = buckets.get(network) ?? { tokens: burst, atMs: now };
      buckets.delete(network);
      const tokens = Math.min(burst, before.tokens + ((now - before.atMs) / 1000) * perSecond);
      const allowed = tokens >= 1;
      buckets.set(network, { tokens: allowed ? tokens - 1 : tokens, atMs: now });
      if (buckets.size > maxAddresses) buckets.delete(buckets.keys().next().value as string);
      return allowed ? 0 : Math.ceil((1 - tokens) / perSecond);
    },
  };
}
