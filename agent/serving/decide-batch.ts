/** A text that waits to be computed. */
export interface WaitingText {
  readonly tokens: number;
}

export interface BatchPolicy {
  /** Texts times padded length of a batch, at most; a single longer text goes alone. */
  readonly maxTokens: number;
  readonly maxTexts: number;
}

export interface BatchDecision {
  /** Places in the waiting line, in rising order; the first in line is always among them. */
  readonly take: readonly number[];
  /** The length to which all of them are padded. */
  readonly paddedTokens: number;
  readonly reason: string;
}

/** Few shapes, so that a runtime that prepares itself for each (TensorRT) meets all of them soon. */
const paddedLengths = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512] as const;

/** The length to which a text is padded: the next of a few; beyond the longest, the next multiple of 256. */
export function paddedLength(tokens: number): number {
  return paddedLengths.find((length) => tokens <= length) ?? Math.ceil(tokens / 256) * 256;
}

/** A run costs this many tokens' time before it computes any (measured: 3.5 ms beside 0.085 ms a token on two cores). */
const overheadTokens = 40;

/** The first in line and the next that fit when everything is padded to `paddedTokens`. */
function fill(waiting: readonly WaitingText[], paddedTokens: number, policy: BatchPolicy) {
  const room = Math.max(1, Math.min(policy.maxTexts, Math.floor(policy.maxTokens / paddedTokens)));
  const take: number[] = [];
  let usefulTokens = 0;
  for (const [index, text] of waiting.entries()) {
    if (take.length >= room) break;
    const own = paddedLength(text.tokens);
    if (index > 0 && (own > paddedTokens || own * 2 < paddedTokens)) continue;
    take.push(index);
    usefulTokens += own;
  }
  return { take, room, usefulShare: usefulTokens / (overheadTokens + take.length * paddedTokens) };
}

/**
 * Which of the waiting texts are computed next, together. There is no timer: whenever the model is free it takes what waits, so
 * batches grow with the load and a lone text never waits for company.
 *
 * The first in line is always taken, so nothing starves. No text is padded to more than twice its length: computing 8 texts of 16
 * tokens takes three times as long as one, but a text of 16 padded to 256 costs as much as sixteen of them. Among the lengths
 * that this leaves, the one counts at which the largest share of the time goes into texts instead of padding and overhead.
 * @param waiting first come first
 */
export function decideBatch(waiting: readonly WaitingText[], policy: BatchPolicy): BatchDecision | null {
  const [first] = waiting;
  if (first === undefined) return null;
  const shortest = paddedLength(first.tokens);
  const longer = paddedLengths.filter(
    (length) => length > shortest && length <= 2 * shortest && length <= policy.maxTokens,
  );
  let paddedTokens = shortest;
  let best = fill(waiting, shortest, policy);
  for (const length of longer) {
    const other = fill(waiting, length, policy);
    if (other.usefulShare <= best.usefulShare) continue;
    best = other;
    paddedTokens = length;
  }
  const { take, room } = best;
  const left = waiting.length - take.length;
  const reason =
    left === 0
      ? "all that waits"
      : take.length === room
        ? `full: ${room} texts of ${paddedTokens} tokens, ${left} wait for the next`
        : `no more texts of about this length, ${left} of other lengths wait for the next`;
  return { take, paddedTokens, reason };
}
