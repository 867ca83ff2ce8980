import { minuteMs } from "#platform/time.ts";

/** Digest of a text's tokens, whose length has no bound. */
function digest(key: string): string {
  return new Bun.CryptoHasher("sha256").update(key).digest("base64");
}

/** Limited, because the failure may have been the machine's. */
const keptMs = 10 * minuteMs;
const maxKept = 1_000;

/** Failure of one text, which its model can't compute. */
export class RefusedTextError extends Error {
  override name = "RefusedTextError";
  /** The text by its tokens, as the queue names it. */
  readonly key: string;

  constructor(key: string, cause: Error) {
    super("the model can't compute this text", { cause });
    this.key = key;
  }
}

/** Failure of a request by one of its texts. */
export class FailedTextError extends Error {
  override name = "FailedTextError";
  /** Place of the text among those that were queued with it. */
  readonly index: number;

  constructor(index: number, { message, cause }: RefusedTextError) {
    super(message, { cause });
    this.index = index;
  }
}

/** Texts that the model could not compute, remembered so that a client's next attempt does not cost another process. */
export class RefusedTexts {
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, { readonly reason: Error; readonly untilMs: number }>();

  /** @param nowMs a monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(text: string, reason: Error): void {
    const key = digest(text);
    this.#kept.delete(key);
    this.#kept.set(key, { reason, untilMs: this.#nowMs() + keptMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** Reason that the text was refused in the last ten minutes; undefined for other texts. */
  reason(text: string): Error | undefined {
    if (this.#kept.size === 0) return undefined;
    const key = digest(text);
    const found = this.#kept.get(key);
    if (found === undefined) return undefined;
    if (this.#nowMs() < found.untilMs) return found.reason;
    this.#kept.delete(key);
    return undefined;
  }
}
