import type { TokenizedText } from "./text-tokenizer.ts";
import { keptOf, type TruncationSide } from "./truncation-side.ts";

/**
 * Lists of token ids that a model reads. `marked`: those that begin and end with its special tokens; `own`: all, as ids of its vocabulary;
 * `none`: none. `cl100k_base`: all, which are turned into texts before (openai-ids.ts), so that none comes here.
 */
export type TokenIdsSetting = "marked" | "own" | "cl100k_base" | "none";

/** Facts of a tokenizer by which token ids are judged. */
export interface IdMarks {
  readonly highestId: number;
  /** Special tokens before and after a text. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Token that fills up shorter texts of a batch; null: unknown. */
  readonly padId: number | null;
  readonly maxTokens: number;
}

export type TokenIdsDecision =
  | ({ readonly kind: "accepted"; readonly rule: "marked" | "own" } & TokenizedText)
  | {
      readonly kind: "refused";
      /** `half-marked`: with some of the model's special tokens. `padded`: filled up with padding. `unmarked`: without the special tokens. `no-telling-marks`: other tokenizers' text may begin and end with the same ids. */
      readonly rule:
        | "outside-vocabulary"
        | "none-accepted"
        | "half-marked"
        | "padded"
        | "unmarked"
        | "no-telling-marks";
    };

/** OpenAI's tokenizers have the 94 visible ASCII characters as ids 0 to 93: `!` is 0, `"` is 1, `#` is 2. */
const visibleAscii = 94;
/** Ids of OpenAI's cl100k_base, which its clients use for embeddings and for models that they don't know, are below. */
const foreignIds = 100_277;

/** Returns true when these special tokens tell a model's ids from those of other tokenizers. */
function areTelling(before: readonly number[], after: readonly number[]): boolean {
  const ends = [before[0], after.at(-1)].filter((id) => id !== undefined);
  return ends.some((id) => id >= foreignIds) || (ends.length === 2 && ends.every((id) => id >= visibleAscii));
}

/**
 * Decides whether a client's token ids are read as the model's. The same numbers are other words in another vocabulary, and every number below
 * its size is valid: ids are the model's own when they carry its special tokens, as far as those can't be an ordinary text's ids elsewhere.
 * Lists that are too long are cut like texts.
 */
export function decideTokenIds(
  ids: readonly number[],
  marks: IdMarks,
  setting: TokenIdsSetting,
  side: TruncationSide = "right",
): TokenIdsDecision {
  const { highestId, before, after, padId, maxTokens } = marks;
  if (setting === "none" || setting === "cl100k_base") return { kind: "refused", rule: "none-accepted" };
  if (!ids.every((id) => Number.isInteger(id) && id >= 0 && id <= highestId))
    return { kind: "refused", rule: "outside-vocabulary" };
  const isMarked =
    ids.length >= before.length + after.length &&
    before.every((id, i) => ids[i] === id) &&
    after.every((id, i) => ids[ids.length - after.length + i] === id);
  if (setting === "marked") {
    if (!areTelling(before, after)) return { kind: "refused", rule: "no-telling-marks" };
    if (!isMarked) return { kind: "refused", rule: "unmarked" };
  }
  const own = isMarked ? ids.slice(before.length, ids.length - after.length) : ids;
  // Padding is no part of a text: computed as if it were, it would give another vector.
  if (padId !== null && own.includes(padId)) return { kind: "refused", rule: "padded" };
  if (!isMarked && own.some((id) => before.includes(id) || after.includes(id)))
    return { kind: "refused", rule: "half-marked" };
  const kept = keptOf(own, Math.max(1, maxTokens - before.length - after.length), side);
  return {
    kind: "accepted",
    rule: setting,
    ids: Uint32Array.from([...before, ...kept, ...after]),
    truncated: kept.length < own.length,
  };
}
