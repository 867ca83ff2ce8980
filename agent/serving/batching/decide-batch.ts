export interface WaitingText {
  readonly tokens: number;
}

export interface BatchPolicy {
  /** Maximum of texts × padded length; a single longer text is a batch of its own. */
  readonly maxTokens: number;
  readonly maxTexts: number;
  /**
   * Lengths to which texts are padded, in ascending order, for a runtime that prepares itself for each shape (CUDA, TensorRT). "longest": the
   * longest text of the batch, for one that doesn't (ONNX Runtime on the CPU without a memory arena).
   */
  readonly padTo: "longest" | readonly number[];
}

export interface BatchDecision {
  /** Indices of the waiting texts to compute, in ascending order, always including the first. */
  readonly take: readonly number[];
  /** Length to which all of them are padded. */
  readonly paddedTokens: number;
  /** Reason the batch is no larger: every waiting text is in it, a limit is reached, or the other texts are of other lengths. */
  readonly rule: "all-waiting" | "full" | "other-lengths";
  /** Texts that stay in the queue. */
  readonly left: number;
}

/** Default lengths for a runtime that prepares itself for each shape. */
export const defaultLengths: readonly number[] = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];

/** Smallest of the lengths that holds the tokens; beyond the longest, the next multiple of 256. */
export function paddedLength(tokens: number, lengths: readonly number[]): number {
  return lengths.find((length) => tokens <= length) ?? Math.ceil(tokens / 256) * 256;
}

/** Fixed cost of a run, in tokens (measured: 3.5 ms beside 0.085 ms a token on two cores). */
const overheadTokens = 40;
/** Cost of a batch, in tokens. */
export function batchCost(texts: number, paddedTokens: number): number {
  return overheadTokens + texts * paddedTokens;
}

/** Cost of a token in a full batch: its share of the run, and some padding. */
export const usualCostPerToken = 1.2;

/** Minimum share of the padded length that a text fills: a loose one, and a tight one that leaves more of a mixed queue for later. */
const minFillShares = [0.5, 0.8] as const;
/** Texts shorter than this share a run whatever their lengths. */
const shortTokens = 8;
/** Maximum number of padded lengths that are tried, so that deciding about thousands of texts stays cheaper than computing them. */
const maxLengths = 16;

interface Candidate {
  readonly take: readonly number[];
  readonly capacity: number;
  readonly paddedTokens: number;
  /** Share of the batch's cost that goes into texts instead of padding and overhead. */
  readonly usefulShare: number;
}

/** The first text and those after it that fit when everything is padded to `paddedTokens`. */
function fill(
  waiting: readonly WaitingText[],
  paddedTokens: number,
  minFillShare: number,
  policy: BatchPolicy,
): Candidate {
  const capacity = Math.max(1, Math.min(policy.maxTexts, Math.floor(policy.maxTokens / paddedTokens)));
  const take: number[] = [];
  let usefulTokens = 0;
  for (const [index, { tokens }] of waiting.entries()) {
    if (take.length >= capacity) break;
    if (index > 0 && (tokens > paddedTokens || Math.max(shortTokens, tokens) < paddedTokens * minFillShare)) continue;
    take.push(index);
    usefulTokens += tokens;
  }
  return { take, capacity, paddedTokens, usefulShare: usefulTokens / batchCost(take.length, paddedTokens) };
}

/** Padded lengths to try: the first text's own, and longer ones that let other texts join it. */
function lengthsFor(first: WaitingText, waiting: readonly WaitingText[], policy: BatchPolicy): number[] {
  const maxLength = Math.min(2 * Math.max(shortTokens, first.tokens), policy.maxTokens);
  const { padTo } = policy;
  if (padTo !== "longest") {
    const own = paddedLength(first.tokens, padTo);
    return [own, ...padTo.filter((length) => length > own && length <= maxLength)];
  }
  const others = [...new Set(waiting.map(({ tokens }) => tokens))]
    .filter((tokens) => tokens > first.tokens && tokens <= maxLength)
    .sort((a, b) => a - b);
  const step = Math.ceil(others.length / maxLengths);
  return [first.tokens, ...others.filter((_, index) => (others.length - 1 - index) % step === 0)];
}

/**
 * Decides which of the waiting texts are computed next, together. There is no timer: a free model takes what waits, so batches grow with the
 * load and a lone text never waits for others.
 *
 * The first text is always taken, so none starves. No text is padded to more than twice its length: computing 8 texts of 16 tokens takes three
 * times as long as one, but a text of 16 padded to 256 costs as much as sixteen of them. Of the remaining lengths, the one with the largest
 * useful share wins.
 * @param waiting in the order of the queue
 */
export function decideBatch(waiting: readonly WaitingText[], policy: BatchPolicy): BatchDecision | null {
  const [first] = waiting;
  if (first === undefined) return null;
  const { padTo } = policy;
  // A lone text has nobody to wait for, and nothing to choose.
  if (waiting.length === 1) {
    const paddedTokens = padTo === "longest" ? first.tokens : paddedLength(first.tokens, padTo);
    return { take: [0], paddedTokens, rule: "all-waiting", left: 0 };
  }
  let best: Candidate | undefined;
  for (const length of lengthsFor(first, waiting, policy)) {
    for (const minFillShare of minFillShares) {
      const candidate = fill(waiting, length, minFillShare, policy);
      if (best === undefined || candidate.usefulShare > best.usefulShare) best = candidate;
    }
  }
  const { take, capacity, paddedTokens } = best as Candidate;
  const longest = Math.max(...take.map((index) => (waiting[index] as WaitingText).tokens));
  const left = waiting.length - take.length;
  return {
    take,
    paddedTokens: padTo === "longest" ? longest : paddedTokens,
    rule: left === 0 ? "all-waiting" : take.length === capacity ? "full" : "other-lengths",
    left,
  };
}
