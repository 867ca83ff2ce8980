import { isPair, type TextInput } from "#agent/serving/text/text-input.ts";

/** Letters a token, in English prose; other scripts have fewer. */
const lettersPerToken = 4;
/** What a model puts around a text. */
const specialTokens = 2;

/** About how many tokens the model will read, before the text is tokenised. */
export function likelyTokens(input: TextInput, maxTokens: number): number {
  const tokens =
    typeof input === "string"
      ? input.length / lettersPerToken
      : isPair(input)
        ? (input.first.length + input.second.length) / lettersPerToken
        : input.length;
  return Math.min(maxTokens, Math.ceil(tokens) + specialTokens);
}
