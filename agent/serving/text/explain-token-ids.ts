import type { IdMarks, TokenIdsDecision } from "./decide-token-ids.ts";

const advice =
  "Send texts instead (LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False), or set serving.tokenIds: own reads all lists as the model's, cl100k_base as OpenAI's";

/** Explains to a client why its token ids are refused: what was expected, what came, what to do. */
export function explainTokenIds(
  rule: Extract<TokenIdsDecision, { kind: "refused" }>["rule"],
  model: string,
  { before, after, padId, highestId }: Pick<IdMarks, "before" | "after" | "padId" | "highestId">,
): string {
  const marks = [...before, "…", ...after].join(" ");
  switch (rule) {
    case "none-accepted":
      return "expected a text, got token ids, which serving.tokenIds: none refuses";
    case "outside-vocabulary":
      return `expected token ids of ${model}'s vocabulary, 0 to ${highestId}, got others. ${advice}`;
    case "half-marked":
      return `expected token ids with all of ${model}'s special tokens around them (${marks}) or with none, got a list with some`;
    case "padded":
      return `expected token ids without ${model}'s padding (${padId}), got a list with it`;
    case "unmarked":
      return `expected token ids between ${model}'s special tokens (${marks}), got others, which may be of another vocabulary. ${advice}`;
    case "no-telling-marks":
      return `expected a text, got token ids: ${model}'s special tokens (${marks}) don't tell its ids from another vocabulary's. ${advice}`;
    default:
      return rule satisfies never;
  }
}
