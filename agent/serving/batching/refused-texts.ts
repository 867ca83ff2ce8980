/** Texts that the model could not compute, so that a client's next attempt does not cost another process. */
export interface RefusedTexts {
  add(text: string, reason: Error): void;
  /** Why it was refused not long ago; undefined for other texts. */
  reason(text: string): Error | undefined;
}

/** Of a text's tokens, whose number has no bound worth keeping a thousand of. */
function digest(key: string): string {
  return new Bun.CryptoHasher("sha256").update(key).digest("base64");
}

/** It may have been the machine's fault after all. */
const keptMs = 600_000;
const mostKept = 1_000;

/** @param nowMs a monotonous clock */
export function createRefusedTexts(nowMs: () => number): RefusedTexts {
  const kept = new Map<string, { readonly reason: Error; readonly untilMs: number }>();
  return {
    add(text, reason) {
      const key = digest(text);
      kept.delete(key);
      kept.set(key, { reason, untilMs: nowMs() + keptMs });
      const [oldest] = kept.keys();
      if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest);
    },
    reason(text) {
      if (kept.size === 0) return undefined;
      const key = digest(text);
      const found = kept.get(key);
      if (found === undefined) return undefined;
      if (nowMs() < found.untilMs) return found.reason;
      kept.delete(key);
      return undefined;
    },
  };
}
