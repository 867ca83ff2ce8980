import { isIPv6 } from "node:net";

/** Slows down guessing of keys, by network address. */
export interface KeyAttempts {
  /** Takes note of a wrong key. Returns how many seconds the sender should wait; 0 while it has not tried too often. */
  wrongKey(address: string): number;
}

/** Wrong keys at once that a typing mistake or a rolled key may explain; after them one a second is answered as usual. */
const burst = 10;
const perSecond = 1;
/** Bounds the memory under an attack from many addresses: the one that has been quiet for longest is forgotten. */
const maxAddresses = 4096;

/** The /64 of an IPv6 address (one customer has at least that many), the address itself otherwise. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes(".")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === "" ? 0 : tail.split(":").length);
  return [...groups, ...new Array<string>(Math.max(0, missing)).fill("0")].slice(0, 4).join(":");
}

/** @param nowMs of a clock that only goes forward */
export function createKeyAttempts(nowMs: () => number): KeyAttempts {
  /** Token buckets, the most recently used last. */
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    wrongKey(address) {
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
