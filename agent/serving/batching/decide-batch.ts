/** A text that waits to be computed. */
export interface WaitingText {
  readonly tokens: number;
}

export interface BatchPolicy {
  /** Texts times padded length of a batch, at most; a single longer text goes alone. */
  readonly maxTokens: number;
  readonly maxTexts: number;
  /**
   * Rising lengths to which texts are padded, for a runtime that prepares itself for each shape (CUDA, TensorRT); or to the longest text
   * of the batch, for one that doesn't (ONNX Runtime on the CPU without a memory arena).
   */
  readonly padTo: "longest" | readonly number[];
}

export interface BatchDecision {
  /** Places in the waiting line, in rising order; the first in line is always among them. */
  readonly take: readonly number[];
  /** The length to which all of them are padded. */
  readonly paddedTokens: number;
  readonly reason: string;
}

/** What texts are padded to for a runtime that prepares itself for each shape, unless configured. */
export const usualLengths: readonly number[] = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/** The next of a few lengths; beyond the longest, the next multiple of 256. */
export function paddedLength(tokens: number, lengths: readonly number[]): number {
  return lengths.find((length) => tokens <= length) ?? Math.ceil(tokens / 256) * 256;
}

/** A run costs this many tokens' time before it computes any (measured: 3.5 ms beside 0.085 ms a token on two cores). */
const overheadTokens = 40;
/** Cost of a batch, in the time of tokens. */
export function batchCost(texts: number, paddedTokens: number): number {
  return overheadTokens + texts * paddedTokens;
}

/** Cost of a token in a full batch: its share of the run, and some padding. */
export const usualCostPerToken = 1.2;

/** A text fills at least this share of what it is padded to: the loosest, and one that leaves more of a mixed line for later. */
const leastShares = [0.5, 0.8] as const;
/** Among shorter texts than this, length makes no difference worth a run of its own. */
const shortTokens = 8;
/** So many lengths are tried, at most: a line of thousands must not take longer to decide about than to compute. */
const mostLengths = 16;

interface Filled {
  readonly take: readonly number[];
  readonly room: number;
  readonly paddedTokens: number;
  /** Of the batch's time, what goes into texts instead of padding and overhead. */
  readonly usefulShare: number;
}

/** The first in line and the next that fit when everything is padded to `paddedTokens`. */
function fill(waiting: readonly WaitingText[], paddedTokens: number, leastShare: number, policy: BatchPolicy): Filled {
  const room = Math.max(1, Math.min(policy.maxTexts, Math.floor(policy.maxTokens / paddedTokens)));
  const take: number[] = [];
  let usefulTokens = 0;
  for (const [index, { tokens }] of waiting.entries()) {
    if (take.length >= room) break;
    if (index > 0 && (tokens > paddedTokens || Math.max(shortTokens, tokens) < paddedTokens * leastShare)) continue;
    take.push(index);
    usefulTokens += tokens;
  }
  return { take, room, paddedTokens, usefulShare: usefulTokens / (overheadTokens + take.length * paddedTokens) };
}

/** The lengths to which the first in line may be padded: its own, and longer ones that let others come with it. */
function lengthsFor(first: WaitingText, waiting: readonly WaitingText[], policy: BatchPolicy): number[] {
  const longest = Math.min(2 * Math.max(shortTokens, first.tokens), policy.maxTokens);
  const { padTo } = policy;
  if (padTo !== "longest") {
    const own = paddedLength(first.tokens, padTo);
    return [own, ...padTo.filter((length) => length > own && length <= longest)];
  }
  const others = [...new Set(waiting.map(({ tokens }) => tokens))]
    .filter((tokens) => tokens > first.tokens && tokens <= longest)
    .sort((a, b) => a - b);
  const step = Math.max(1, Math.ceil(others.length / mostLengths));
  return [first.tokens, ...others.filter((_, index) => (others.length - 1 - index) % step === 0)];
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
  let best: Filled | undefined;
  for (const length of lengthsFor(first, waiting, policy)) {
    for (const leastShare of leastShares) {
      const filled = fill(waiting, length, leastShare, policy);
      if (best === undefined || filled.usefulShare > best.usefulShare) best = filled;
    }
  }
  const { take, room, paddedTokens } = best as Filled;
  const longest = Math.max(...take.map((place) => (waiting[place] as WaitingText).tokens));
  const left = waiting.length - take.length;
  const reason =
    left === 0
      ? "all that waits"
      : take.length === room
        ? `full: ${room} texts of ${paddedTokens} tokens, ${left} wait for the next`
        : `no more texts of about this length, ${left} of other lengths wait for the next`;
  return { take, paddedTokens: policy.padTo === "longest" ? longest : paddedTokens, reason };
}
